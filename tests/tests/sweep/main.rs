//! The sweep: the real engine on a simulated machine, with one thing going wrong at every step in turn; then it is run again with nothing
//! going wrong, and the destination must hold what the source does.
//!
//! ```text
//!  golden run: every step of every stage
//!  for each step, for each fault that can happen at it:
//!    the world before the stage ─► the stage, with the fault ─► run (the source as it was, or moved on) ─► run ─► run: sends nothing
//!                                        └──────── after each: the invariants of the state, of every request, of every key
//! ```
//!
//! `./test` takes a sample of the points, `OUTFLOW_LONG=1` all of them. A failure names its point; `SWEEP=<point>` runs that one alone.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests: what is missing is a failure")]
#![allow(clippy::print_stdout, reason = "how many points were tried is told to whoever asks for it")]
#![allow(
    clippy::default_trait_access,
    clippy::duration_suboptimal_units,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "reads well here"
)]

mod check;
mod destination;
mod fault;
mod machine;
mod promises;
mod scenario;
mod source;
mod store;
mod sweep;
mod world;

use fault::{Class, Fault};
use sweep::{Second, Sweep, any_fault};

/// A day.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

#[test]
fn a_process_killed_at_any_step_of_the_disk_loses_nothing() {
    Sweep::filtered("serial", |step, fault| {
        step.class != Class::Request && matches!(fault, Fault::KillBefore | Fault::KillMiddle | Fault::KillAfter)
    })
    .run(32);
}

#[test]
fn a_power_cut_at_any_step_of_the_disk_loses_nothing() {
    Sweep::filtered("serial", |step, fault| step.class != Class::Request && fault.is_power_cut()).run(32);
}

#[test]
fn a_process_that_dies_while_a_request_is_under_way_loses_nothing() {
    Sweep::filtered("serial", |step, fault| step.class == Class::Request && fault.is_death()).run(32);
}

#[test]
fn a_full_disk_stops_the_run_and_loses_nothing() {
    Sweep::over("serial", &[Fault::Full]).run(16);
}

#[test]
fn an_error_of_the_disk_stops_the_run_and_loses_nothing() {
    Sweep::filtered("serial", |step, fault| step.class != Class::Batch && matches!(fault, Fault::Error | Fault::Broken | Fault::Torn))
        .run(32);
}

#[test]
fn what_a_failed_fsync_was_to_store_counts_as_not_there() {
    Sweep::over("serial", &[Fault::SyncDropped, Fault::SyncKept]).run(24);
}

#[test]
fn an_object_whose_create_went_unanswered_is_found_by_the_next_run_or_was_never_there() {
    Sweep::over("serial", &[Fault::Lost, Fault::UnknownDone, Fault::UnknownNot, Fault::Theirs]).run(32);
}

#[test]
fn a_panic_in_any_thread_ends_the_run_and_loses_nothing() {
    Sweep::over("serial", &[Fault::Panic]).run(24);
}

#[test]
fn whatever_a_destination_answers_or_does_not_the_next_runs_make_it_right() {
    Sweep::filtered("serial", |step, fault| step.class == Class::Request && !fault.is_death()).run(32);
}

/// What was sent before must not land on what is sent after.
#[test]
fn a_request_that_lands_late_is_waited_for() {
    Sweep::over("serial", &[Fault::Travels, Fault::AllTravel, Fault::KillTravels, Fault::PowerTravels]).when_the_source_moves_on().run(32);
}

#[test]
fn several_requests_at_once_are_as_safe_as_one() {
    Sweep::filtered("parallel", |_, _| true).run(32);
}

#[test]
fn what_people_do_by_hand_is_done_or_not_done_wherever_it_is_interrupted() {
    Sweep::filtered("by-hand", |_, _| true).run(32);
}

#[test]
fn what_is_of_age_is_dropped_or_still_there_wherever_that_is_interrupted() {
    Sweep::filtered("forgetful", |_, _| true).run(32);
}

#[test]
fn two_things_that_go_wrong_in_one_run_are_no_worse_than_one() {
    Sweep::filtered("serial", |_, fault| !fault.is_death())
        .with(|random| Second::Also(random.random() as usize % 80, any_fault(random)))
        .run(32);
}

#[test]
fn a_recovery_may_be_interrupted_as_well() {
    Sweep::filtered("serial", |_, fault| fault.is_death())
        .with(|random| Second::InRecovery(random.random() as usize % 80, any_fault(random)))
        .run(32);
}

#[test]
fn a_clock_that_is_a_day_behind_keeps_nobody_waiting() {
    Sweep::filtered("serial", |step, fault| fault.is_death() || step.class == Class::Request).with(|_| Second::Clock(-DAY_MS)).run(16);
}

/// What travels is left out: a clock that runs ahead hides that it still does.
#[test]
fn a_clock_that_is_a_day_ahead_loses_nothing_of_what_has_landed() {
    let travels = [Fault::KillTravels, Fault::PowerTravels, Fault::Travels, Fault::AllTravel];
    let wanted = |step: &world::Step, fault: Fault| (fault.is_death() || step.class == Class::Request) && !travels.contains(&fault);
    Sweep::filtered("serial", wanted).with(|_| Second::Clock(DAY_MS)).run(16);
}
