//! HTTP semantics as pure functions: ranges, conditionals, dispositions, digests, forms.

pub mod range;
