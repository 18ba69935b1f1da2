//! Laws of whole runs, with real processes: whatever dies, fails or is done again, the world ends the same or
//! the outcome says what is left to do.
//!
//! Each scenario runs with one device, so that every journal entry can be a crash. By default every entry is
//! tried in one scenario and some of them, chosen by a seed, in the others; `OPSOLE_LAWS=all` tries all of all.

mod agents;
mod crash;
mod faults;
mod repeat;
mod stage;
