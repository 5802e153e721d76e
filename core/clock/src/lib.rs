//! Time and chance, brought in from outside.
//!
//! Everything in `core/` computes on plain data: what time it is and what is random comes in through
//! [`Clock`] and [`Seed`]. This crate is the only place that asks the operating system for either
//! (`clippy.toml` bans the direct calls elsewhere).
//!
//! It deliberately knows no timers and no sleeping: those belong to the shell around the core.
//!
//! ```
//! use homeostat_clock::{Clock, ManualClock, UtcMillis};
//! let clock = ManualClock::at(UtcMillis(1_000));
//! clock.advance(std::time::Duration::from_secs(2));
//! assert_eq!(clock.now(), UtcMillis(3_000));
//! ```

mod clock;
mod seed;
mod time;

pub use clock::{Clock, ManualClock, SystemClock};
pub use seed::{Rng, Seed};
pub use time::UtcMillis;
