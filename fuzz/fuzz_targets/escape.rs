#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| xmpp_bench::xml::fuzz::fuzz_escape(data));
