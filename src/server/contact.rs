//! XEP-0157: Contact Addresses, as the server's service discovery shows them.
//!
//! Nothing is sent to them from here, and messages to the bare domain are not forwarded to them.

use crate::xml::escape_text_into;

/// Whom to turn to: URIs, such as `mailto:abuse@example.org` or `xmpp:admin@example.org` (XEP-0157 §2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contacts {
    /// Of abusive traffic.
    pub abuse: Vec<String>,
    /// The administrators.
    pub admin: Vec<String>,
    /// Of what users think.
    pub feedback: Vec<String>,
    /// Of sales and marketing.
    pub sales: Vec<String>,
    /// Of security.
    pub security: Vec<String>,
    /// Where the service's state is shown.
    pub status: Vec<String>,
    /// For users who need help.
    pub support: Vec<String>,
}

impl Contacts {
    /// Names of the fields without `-addresses`, in alphabetical order, each with its addresses.
    fn fields(&self) -> [(&'static str, &[String]); 7] {
        [
            ("abuse", &self.abuse),
            ("admin", &self.admin),
            ("feedback", &self.feedback),
            ("sales", &self.sales),
            ("security", &self.security),
            ("status", &self.status),
            ("support", &self.support),
        ]
    }

    /// The data form of §3 in full, `""` when there is no address.
    pub(super) fn form(&self) -> String {
        let mut out = Vec::new();
        for (name, addresses) in self.fields() {
            if addresses.is_empty() {
                continue;
            }
            out.extend_from_slice(format!("<field var='{name}-addresses' type='list-multi'>").as_bytes());
            for address in addresses {
                out.extend_from_slice(b"<value>");
                escape_text_into(address, &mut out);
                out.extend_from_slice(b"</value>");
            }
            out.extend_from_slice(b"</field>");
        }
        if out.is_empty() {
            return String::new();
        }
        let fields = String::from_utf8(out).expect("text stays text");
        format!("{FORM_OPEN}{fields}</x>")
    }
}

const FORM_OPEN: &str = "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'>\
                         <value>http://jabber.org/network/serverinfo</value></field>";

/// Whether text has the shape of a URI, as §2 demands (RFC 3986 §3): a scheme, a colon and something without white space.
#[must_use]
pub fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let is_legal = |c: char| c.is_ascii_graphic() && !"<>\"\\^`{|}".contains(c);
    is_scheme && !rest.is_empty() && rest.chars().all(is_legal)
}

#[cfg(test)]
mod tests {
    use super::{Contacts, is_uri};

    #[test]
    fn forms() {
        assert_eq!(Contacts::default().form(), "");
        let contacts = Contacts {
            abuse: vec!["mailto:a@d".into(), "https://d/?a=1&b=2".into()],
            support: vec!["xmpp:help@d".into()],
            ..Contacts::default()
        };
        assert_eq!(
            contacts.form(),
            "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'>\
             <value>http://jabber.org/network/serverinfo</value></field>\
             <field var='abuse-addresses' type='list-multi'><value>mailto:a@d</value>\
             <value>https://d/?a=1&amp;b=2</value></field>\
             <field var='support-addresses' type='list-multi'><value>xmpp:help@d</value></field></x>"
        );
    }

    #[test]
    fn uris() {
        for good in ["mailto:abuse@shakespeare.lit", "xmpp:admins@shakespeare.lit?message", "https://s.lit"] {
            assert!(is_uri(good), "{good}");
        }
        for bad in [
            "",
            "admin@d",
            "mailto:",
            ":x",
            "1a:x",
            "mailto:a b",
            "mailto:a<b>",
            "mailto:\u{e4}@d",
            "m ailto:x",
        ] {
            assert!(!is_uri(bad), "{bad}");
        }
    }
}
