//! The machine is driven by hand here: no clock, no store, no runtime.

mod alone;
mod claiming;
mod expiry;
mod gathering;
mod limits;
mod patterns;
mod rig;
mod saving;
mod stopping;
mod suspects;
mod weights;
