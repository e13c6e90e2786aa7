//! Background work: the messages and who does them.

mod consumer;
pub mod message;
