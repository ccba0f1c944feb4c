//! Liquid templates of mappings, within limits.
