//! Scenarios against a world without a hub: stanzas in, copies out, nothing else between.

mod bind;
mod blocking;
mod busiest;
mod commands;
mod contact;
mod delivery;
mod ending;
mod hints;
mod hosts;
mod iq;
mod last;
mod news;
mod offline;
mod pre_approval;
mod presence;
mod private;
mod register;
mod rig;
mod roster;
mod saving;
mod stanzas;
mod subscription;
mod time;
mod values;
mod vcard;
mod versions;
