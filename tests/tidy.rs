//! Reads the repository and fails where it is untidy: the rules of the house that no compiler knows.
//!
//! Nothing of the program is run here. Every rule is a function from text to complaints, and has a test that feeds
//! it something bad: a rule that cannot fail is none.

mod tidy {
    mod arrows;
    mod docs;
    mod homes;
    mod leftovers;
    mod source;
}
