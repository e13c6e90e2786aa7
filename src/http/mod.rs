//! HTTP semantics as pure functions: ranges, conditionals, dispositions, digests, forms.
