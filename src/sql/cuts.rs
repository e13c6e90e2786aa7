//! cuts.

statements! {}
