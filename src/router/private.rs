//! Private XML of one account (XEP-0049): elements by namespace and name.
//!
//! The texts are not read here, and nothing is refused: `limits` are the caller's to keep.

/// What an account has stored under one namespace and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateItem {
    /// Namespace of its elements.
    pub ns: Box<str>,
    /// Their local name.
    pub name: Box<str>,
    /// The elements, each complete in itself.
    pub xml: Box<str>,
}

/// Private XML of one account, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrivateStorage {
    items: Vec<PrivateItem>,
}

impl PrivateStorage {
    /// What is stored under this namespace and name.
    #[must_use]
    pub fn get(&self, ns: &str, name: &str) -> Option<&str> {
        self.items.iter().find(|item| *item.ns == *ns && *item.name == *name).map(|item| &*item.xml)
    }

    /// Stores `xml` in place of what was there; `""` removes it.
    pub fn set(&mut self, ns: &str, name: &str, xml: &str) {
        let place = self.items.iter().position(|item| *item.ns == *ns && *item.name == *name);
        match place {
            Some(place) if xml.is_empty() => drop(self.items.remove(place)),
            Some(place) => self.items[place].xml = xml.into(),
            None if xml.is_empty() => {}
            None => self.items.push(PrivateItem { ns: ns.into(), name: name.into(), xml: xml.into() }),
        }
    }

    /// All of it, oldest first.
    #[must_use]
    pub fn items(&self) -> &[PrivateItem] {
        &self.items
    }

    /// Bytes of all texts.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.items.iter().map(|item| item.ns.len() + item.name.len() + item.xml.len()).sum()
    }
}
