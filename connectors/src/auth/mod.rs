//! How destinations are told who we are, as they share it. Pure: the engine asks, and keeps what it gets.

pub(crate) mod oauth2;
