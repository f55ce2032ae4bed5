//! Which definitions a runner has handlers for, as the shortest list that says so.

use std::collections::HashSet;

use crate::{
    DefinitionId, Result,
    backend::{DefinitionQuery, Known},
    store::Store,
};

/// Definitions read in one request.
const PAGE: u32 = 1_000;

/// Compares the store's definitions with its handlers.
pub(super) async fn known(store: &Store) -> Result<Known> {
    let ours: HashSet<_> = store.registry().definitions().into_iter().collect();
    let mut others = Vec::new();
    let mut query = DefinitionQuery::new(PAGE);
    // The tasks of a deleted one are still there to be claimed.
    query.with_deleted = true;
    loop {
        let page = store.backend().definitions(&query).await?;
        others.extend(page.items.into_iter().map(|d| d.id).filter(|id| !ours.contains(id)));
        match page.next {
            Some(cursor) => query = query.after(cursor),
            None => return Ok(shortest(ours, others)),
        }
    }
}

fn shortest(ours: HashSet<DefinitionId>, others: Vec<DefinitionId>) -> Known {
    if others.is_empty() {
        Known::All
    } else if others.len() <= ours.len() {
        Known::Except(others)
    } else {
        let mut ours: Vec<_> = ours.into_iter().collect();
        ours.sort_unstable();
        Known::Only(ours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_list_is_taken() {
        let ids: Vec<_> = (0..5).map(|_| DefinitionId::new()).collect();
        let ours = |n: usize| ids.iter().copied().take(n).collect::<HashSet<_>>();
        assert_eq!(shortest(ours(2), vec![]), Known::All);
        assert_eq!(shortest(ours(4), vec![ids[4]]), Known::Except(vec![ids[4]]));
        assert_eq!(shortest(ours(1), ids[1..].to_vec()), Known::Only(vec![ids[0]]));
    }
}
