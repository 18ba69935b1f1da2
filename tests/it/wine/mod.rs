//! opsole.exe under Wine: a controller here drives a real agent process there through its whole chain.
//!
//! What Wine can't do is answered from outside, call by call, and the output names each such call.

mod prefix;
mod settings;
mod story;
mod twin;
