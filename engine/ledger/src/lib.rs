//! Everything that Outflow remembers, and the rules by which it does: pure decisions with a thin rim of I/O.
//!
//! ```text
//!            versions after the cursor ─┐
//!   pending ────────────────────────────┴─ compose ──► sealed plan ──► requests ──► journal
//!      ▲                                                                              │
//!      └────────────── commit { cursor, pending, deadline } ◄── fold ◄── classify ◄───┘
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`store`] | the `StateStore` on local disk and in memory |
//! | [`paths`] | where everything lies |
//! | [`object`] | small objects: version, nonce and checksum round a JSON body |
//! | [`commit`], [`chain`] | what a model and a mapping commit say, and the gapless chain of them |
//! | [`changes`] | change sets as Parquet files |
//! | [`runs`] | the sealed plan and the report of a run |
//! | [`history`] | the reports of past syncs, newest first |
//! | [`journal`] | intents and outcomes of a run, durable in groups |
//! | [`compose`] | **pure**: what a mapping has to send |
//! | [`requests`] | **pure**: which unanswered requests are built again under their first key |
//! | [`replay`] | **pure**: which records of an earlier sync go out once more |
//! | [`fold`] | **pure**: what a journal says about each record, and what stays pending |
//! | [`next`] | **pure**: what the next commit of a mapping says |
//! | [`footing`] | **pure**: is a model's chain the one that a mapping stands on? |
//! | [`decide`] | **pure**: deadlines, waiting, and which answers are definite |
//! | [`retention`] | **pure**: what may be dropped |
//! | [`failures`] | the records that failed, for people |
//! | [`integrity`] | is the state whole? |
//!
//! The rules are numbered; "rule 9" in a comment means the ninth of them. The crate's README lists them with their places. Nothing here knows a runtime, a clock or a network.

pub mod chain;
pub mod changes;
pub mod commit;
pub mod compose;
pub mod decide;
pub mod failures;
pub mod fold;
pub mod footing;
pub mod history;
pub mod integrity;
pub mod journal;
pub mod next;
pub mod object;
pub mod paths;
pub mod replay;
pub mod requests;
pub mod retention;
pub mod runs;
pub mod store;
