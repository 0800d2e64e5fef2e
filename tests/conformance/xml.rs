//! RFC 6120 §11: the XML that a stream may be made of.

use super::client::Client;
use super::login::header;
use super::target::{User, target};

/// A bound client says this, and its stream ends with one of these.
pub(crate) fn is_refused(text: &str, conditions: &[&str]) {
    let mut client = Client::online(&User::new(), "balcony");
    client.send(text);
    client.expect_stream_error_of(conditions);
}

#[test]
fn a_comment() {
    is_refused("<!-- hark -->", &["restricted-xml"]);
}

#[test]
fn a_processing_instruction() {
    is_refused("<?hark who goes?>", &["restricted-xml"]);
}

#[test]
fn a_dtd() {
    let mut client = Client::saying("<?xml version='1.0'?><!DOCTYPE stream [<!ENTITY a 'b'>]>");
    client.send(&header(&target().domain));
    client.expect_header();
    client.expect_stream_error("restricted-xml");
}

#[test]
fn an_entity() {
    is_refused("<message><body>&rose;</body></message>", &["restricted-xml", "not-well-formed"]);
}

#[test]
fn ill_formed() {
    is_refused("<message><body>b</message></body>", &["not-well-formed"]);
}

#[test]
fn a_declared_encoding() {
    let mut client = Client::saying("<?xml version='1.0' encoding='ISO-8859-1'?>");
    client.send(&header(&target().domain)["<?xml version='1.0'?>".len()..]);
    client.expect_header();
    client.expect_stream_error("unsupported-encoding");
}

#[test]
fn bytes_that_are_no_utf_8() {
    let mut client = Client::online(&User::new(), "balcony");
    client.send_bytes(b"<message><body>\xc3\x28</body></message>");
    client.expect_stream_error_of(&["unsupported-encoding", "not-well-formed"]);
}

#[test]
fn a_late_xml_declaration() {
    is_refused("<?xml version='1.0'?><presence/>", &["not-well-formed", "restricted-xml"]);
}

#[test]
fn an_undeclared_prefix() {
    is_refused("<message><rose:body/></message>", &["not-well-formed"]);
}
