//! Work on every segment of a snapshot: shared out among threads, handed on in order.

use std::sync::mpsc::sync_channel;

use outflow_contract::{Error, Result};

use crate::snapshot::SEGMENTS;

/// Does `work` for every segment on so many threads, and hands what it gives to `each`, in the order of segments. A thread is at most two
/// segments ahead.
pub(super) fn in_order<T: Send>(
    threads: usize,
    work: impl Fn(usize) -> Result<T> + Sync,
    mut each: impl FnMut(T) -> Result<()>,
) -> Result<()> {
    let (threads, work) = (threads.max(1), &work);
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..threads)
            .map(|lane| {
                let (sender, receiver) = sync_channel(1);
                scope.spawn(move || {
                    for segment in (lane..SEGMENTS).step_by(threads) {
                        let done = work(segment);
                        let failed = done.is_err();
                        // Nobody listens once another segment has failed.
                        if sender.send(done).is_err() || failed {
                            break;
                        }
                    }
                });
                receiver
            })
            .collect();
        for segment in 0..SEGMENTS {
            each(lanes[segment % threads].recv().map_err(|_| Error::bug("a thread of the extraction stopped"))??)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_segments_whatever_the_number_of_threads() {
        for threads in [0, 1, 2, 3, 300] {
            let mut seen = Vec::new();
            let gathered = in_order(threads, Ok, |segment| {
                seen.push(segment);
                Ok(())
            });
            gathered.unwrap();
            assert!(seen.into_iter().eq(0..SEGMENTS), "{threads} threads");
        }
    }

    #[test]
    fn the_first_failure_ends_the_work_and_is_told() {
        let fail = |segment| if segment == 7 { Err(Error::bug("the eighth")) } else { Ok(segment) };
        let mut seen = 0;
        let ended = in_order(2, fail, |_| {
            seen += 1;
            Ok(())
        });
        assert_eq!((ended.unwrap_err().message(), seen), ("the eighth", 7));
        assert_eq!(in_order(2, Ok, |_| Err(Error::bug("no more"))).unwrap_err().message(), "no more");
    }
}
