//! The live screen of a run: [`board`] is what is shown, [`render`] how it looks, [`screen`] where it goes.
//!
//! It measures nothing and takes no keys: the terminal stays in the mode that it is in, so Ctrl-C works as ever and
//! there is nothing to restore, however the program ends.

pub mod board;
pub mod render;
pub mod screen;
