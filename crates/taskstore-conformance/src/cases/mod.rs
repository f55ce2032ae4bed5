//! The cases, by noun. A case is an async function that panics when a promise is broken; the list
//! at the top of each file says which promises each one proves.

/// Lists the cases of a noun. One that is not listed is dead code, which the compiler reports.
macro_rules! cases {
    ($noun:literal: $($case:ident $(needs $need:ident)? [$($promise:literal)+];)+) => {
        pub(super) const CASES: &[$crate::Case] = &[$($crate::Case {
            name: concat!($noun, "::", stringify!($case)),
            promises: &[$($promise),+],
            needs: cases!(@need $($need)?),
            run: |context| Box::pin($case(context)),
        }),+];
    };
    (@need) => { $crate::Need::Nothing };
    (@need $need:ident) => { $crate::Need::$need };
}

mod bulk;
mod cancel;
mod claim;
mod complete;
mod control;
mod definition;
mod enqueue;
mod input;
mod isolate;
mod lease;
mod many;
mod pause;
mod plain;
mod promote;
mod purge;
mod query;
mod queue;
mod race;
mod random;
mod report;
mod retry;
mod schema;
mod settle;
mod sweep;
mod terms;
mod unique;
mod wake;
mod within;

use crate::Case;
pub(crate) use random::more_time;

/// All of them. Those that depend on chance come last.
pub(crate) fn all() -> Vec<Case> {
    [
        schema::CASES,
        definition::CASES,
        enqueue::CASES,
        unique::CASES,
        claim::CASES,
        promote::CASES,
        settle::CASES,
        retry::CASES,
        terms::CASES,
        lease::CASES,
        isolate::CASES,
        cancel::CASES,
        pause::CASES,
        control::CASES,
        purge::CASES,
        report::CASES,
        sweep::CASES,
        query::CASES,
        plain::CASES,
        within::CASES,
        complete::CASES,
        many::CASES,
        bulk::CASES,
        queue::CASES,
        input::CASES,
        wake::CASES,
        race::CASES,
        random::CASES,
    ]
    .concat()
}
