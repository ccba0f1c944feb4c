//! Ctrl-C, and what a scheduler sends: the first asks the run to end, the second leaves at once. Both are safe: what is under way is in the
//! journal, and the next run settles it. And what the system sends where a file may not grow any more.

use outflow_engine::cancel::{Cancel, GRACE};
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

/// 128 and the number of the signal, as shells have it.
const INTERRUPTED: i32 = 130;
const TERMINATED: i32 = 143;

/// Ends the run of `cancel` at the first SIGINT or SIGTERM, and the program at the second.
pub(crate) fn end_gracefully(cancel: &Cancel) {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else { return };
    let (cancel, seconds) = (cancel.clone(), GRACE.as_secs());
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = interrupt.recv() => INTERRUPTED,
                _ = terminate.recv() => TERMINATED,
            }
        };
        next().await;
        cancel.ask();
        tracing::warn!("asked to end: finishing what is under way, at most {seconds} s; once more leaves at once, and is safe too");
        let code = next().await;
        std::process::exit(code);
    });
}

/// Makes a file that grows past the limit of `ulimit -f` an error of its write, for the life of the process: SIGXFSZ would end it without a word.
pub(crate) fn outlive_file_size_limit() {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
    // What listens may go; that the signal is taken stays.
    runtime.block_on(async { drop(signal(SignalKind::from_raw(Signal::XFSZ.as_raw()))) });
}
