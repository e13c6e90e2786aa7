//! gc.

statements! {}
