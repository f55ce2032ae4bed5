//! What no crate can test alone. The tests are in `tests/`; here is what they share, and the programs
//! on the project's pages, which are compiled as documentation tests.

pub mod faulty;
pub mod ledger;
pub mod pay;

/// The README's.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

/// The facade's own, as a registry shows it.
#[cfg(doctest)]
#[doc = include_str!("../../crates/taskstore/README.md")]
pub struct FacadeReadme;

/// The guides'.
#[cfg(doctest)]
pub mod guides {
    #[doc = include_str!("../../docs/guides/getting-started.md")]
    pub struct GettingStarted;
    #[doc = include_str!("../../docs/guides/handlers.md")]
    pub struct Handlers;
    #[doc = include_str!("../../docs/guides/retries.md")]
    pub struct Retries;
    #[doc = include_str!("../../docs/guides/transactions.md")]
    pub struct Transactions;
    #[doc = include_str!("../../docs/guides/running.md")]
    pub struct Running;
    #[doc = include_str!("../../docs/guides/operating.md")]
    pub struct Operating;
    #[doc = include_str!("../../docs/guides/from-go.md")]
    pub struct FromGo;
}
