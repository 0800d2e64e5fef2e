//! The wake protocol: a sleeper that never misses what came before it lay down.
//!
//! A bell does not hold what the sleeper waits for, and does not wake by itself: whoever changed something rings, and
//! learns whether the sleeper has to be woken. The same protocol serves a reactor that waits for mail and one that waits
//! for room in a lane.
//!
//! Sleeper: raise the flag, *fence*, look once more, sleep. Ringer: change something, *fence*, look at the flag. Of the two
//! looks at least one sees the other side's write: both fences are sequentially consistent, so one comes first. The model
//! checker tries the interleavings, and what weaker processors make of them (`tests` below, with `loom`).

use std::sync::atomic::{AtomicBool, Ordering, fence};

/// A flag that two threads share, and the fence between a write to it and a read of something else. A trait, so that the
/// model checker can put its own in the place of the processor's.
pub(super) trait Flag {
    fn lowered() -> Self;
    fn raise(&self);
    /// Returns whether it was up.
    fn lower(&self) -> bool;
    fn is_up(&self) -> bool;
    fn fence();
}

/// The same for the processor's atomics and the model checker's: what is checked is what runs.
macro_rules! flag {
    ($atomic:ty, $fence:path) => {
        impl Flag for $atomic {
            fn lowered() -> Self {
                Self::new(false)
            }

            fn raise(&self) {
                // A swap and not a store: it comes behind whatever a ringer has just done to the flag.
                self.swap(true, Ordering::AcqRel);
            }

            fn lower(&self) -> bool {
                self.swap(false, Ordering::AcqRel)
            }

            fn is_up(&self) -> bool {
                self.load(Ordering::Relaxed)
            }

            fn fence() {
                $fence(Ordering::SeqCst);
            }
        }
    };
}

flag!(AtomicBool, fence);

/// Between one sleeper and those who may wake it.
#[derive(Debug)]
pub(super) struct Bell<F = AtomicBool> {
    asleep: F,
}

impl<F: Flag> Default for Bell<F> {
    fn default() -> Self {
        Self { asleep: F::lowered() }
    }
}

impl<F: Flag> Bell<F> {
    /// The sleeper is about to sleep. `false`: `is_needed` found something, do not.
    pub(super) fn lie_down(&self, is_needed: impl FnOnce() -> bool) -> bool {
        self.asleep.raise();
        F::fence();
        if is_needed() {
            self.asleep.lower();
            return false;
        }
        true
    }

    /// The sleeper is awake, whatever woke it.
    pub(super) fn get_up(&self) {
        // A plain look is enough to spare the write: nobody else raises the flag.
        if self.asleep.is_up() {
            self.asleep.lower();
        }
    }

    /// Something has changed. Returns whether the sleeper must be woken; of all who ring meanwhile one is told so.
    #[must_use]
    pub(super) fn ring(&self) -> bool {
        F::fence();
        self.asleep.is_up() && self.asleep.lower()
    }
}

#[cfg(test)]
mod tests {
    use loom::sync::atomic::{AtomicBool, Ordering, fence};
    use loom::sync::{Arc, Condvar, Mutex};
    use loom::thread as model;

    use super::{Bell, Flag};

    /// Every interleaving in which a thread is interrupted at most so often.
    const PREEMPTIONS_MAX: usize = 3;

    fn check(run: impl Fn() + Send + Sync + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(PREEMPTIONS_MAX);
        builder.check(run);
    }

    flag!(AtomicBool, fence);

    /// As an eventfd: a wake is kept until the sleeper takes it.
    struct Waker {
        woken: Mutex<bool>,
        changed: Condvar,
    }

    impl Waker {
        fn new() -> Self {
            Self { woken: Mutex::new(false), changed: Condvar::new() }
        }

        fn wake(&self) {
            *self.woken.lock().unwrap() = true;
            self.changed.notify_one();
        }

        fn sleep(&self) {
            let mut woken = self.woken.lock().unwrap();
            while !*woken {
                woken = self.changed.wait(woken).unwrap();
            }
            *woken = false;
        }
    }

    /// Two lanes for one letter each. No lock orders what is done to them and to the bell: only the fences do.
    struct Lanes {
        full: [AtomicBool; 2],
        bell: Bell<AtomicBool>,
        waker: Waker,
    }

    impl Lanes {
        fn new() -> Self {
            let full = [AtomicBool::new(false), AtomicBool::new(false)];
            Self { full, bell: Bell::default(), waker: Waker::new() }
        }

        fn push(&self, lane: usize) {
            self.full[lane].store(true, Ordering::Release);
            if self.bell.ring() {
                self.waker.wake();
            }
        }

        fn pop(&self, lane: usize) -> bool {
            self.full[lane].load(Ordering::Acquire) && self.full[lane].swap(false, Ordering::AcqRel)
        }

        /// Sleeps unless there is something in a lane.
        fn sleep(&self) {
            if self.bell.lie_down(|| self.full.iter().any(|full| full.load(Ordering::Acquire))) {
                self.waker.sleep();
                self.bell.get_up();
            }
        }
    }

    /// Both letters are read, though the reader sleeps whenever it finds nothing: a lost wake would be a deadlock, which
    /// the checker reports. It does so for either fence of [`Bell`] left out.
    #[test]
    fn no_wake_is_lost() {
        check(|| {
            let lanes = Arc::new(Lanes::new());
            let senders: Vec<_> = (0..2)
                .map(|lane| {
                    let lanes = Arc::clone(&lanes);
                    model::spawn(move || lanes.push(lane))
                })
                .collect();
            let mut read = 0;
            while read < 2 {
                read += (0..2).filter(|lane| lanes.pop(*lane)).count();
                if read < 2 {
                    lanes.sleep();
                }
            }
            for sender in senders {
                sender.join().unwrap();
            }
        });
    }

    /// A lane with room for one letter: the sender sleeps until the reader has made room, the reader until there is a
    /// letter. Neither waits for ever.
    #[test]
    fn room_is_told_to_who_waits_for_it() {
        const LETTERS: usize = 2;
        check(|| {
            let mail = Arc::new(Lanes::new());
            let room = Arc::new((Bell::<AtomicBool>::default(), Waker::new()));
            let (to, freed) = (Arc::clone(&mail), Arc::clone(&room));
            let sender = model::spawn(move || {
                for _ in 0..LETTERS {
                    while to.full[0].load(Ordering::Acquire) {
                        if freed.0.lie_down(|| !to.full[0].load(Ordering::Acquire)) {
                            freed.1.sleep();
                            freed.0.get_up();
                        }
                    }
                    to.push(0);
                }
            });
            let mut read = 0;
            while read < LETTERS {
                if mail.pop(0) {
                    read += 1;
                    if room.0.ring() {
                        room.1.wake();
                    }
                } else {
                    mail.sleep();
                }
            }
            sender.join().unwrap();
        });
    }
}
