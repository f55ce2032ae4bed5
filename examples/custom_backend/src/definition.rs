//! Kinds of work.

use serde::{Deserialize, Serialize};
use taskstore_core::{
    Alias, Definition, DefinitionId, DefinitionStatus, Error, Result,
    backend::{Cursor, DefinitionKey, DefinitionQuery, Expect, Page},
    clock,
};

use crate::{error::unreadable, record::State, tx::Tx, view::View};

/// A definition as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DefinitionRow {
    pub id: DefinitionId,
    pub alias: String,
    title: String,
    description: String,
    memo: String,
    is_active: bool,
    created_at: i64,
    updated_at: i64,
    deleted_at: Option<i64>,
    /// Deleted for good: only ended tasks still show its alias.
    pub is_gone: bool,
}

impl From<&Definition> for DefinitionRow {
    fn from(definition: &Definition) -> Self {
        Self {
            id: definition.id,
            alias: definition.alias.to_string(),
            title: definition.title.clone(),
            description: definition.description.clone(),
            memo: definition.memo.clone(),
            is_active: definition.status == DefinitionStatus::Active,
            created_at: clock::to_micros(definition.created_at),
            updated_at: clock::to_micros(definition.updated_at),
            deleted_at: definition.deleted_at.map(clock::to_micros),
            is_gone: false,
        }
    }
}

impl DefinitionRow {
    pub const fn is_live(&self) -> bool {
        self.deleted_at.is_none() && !self.is_gone
    }

    pub const fn status(&self) -> DefinitionStatus {
        if self.is_active { DefinitionStatus::Active } else { DefinitionStatus::Canceled }
    }

    fn into_definition(self) -> Result<Definition> {
        Ok(Definition {
            id: self.id,
            alias: Alias::new(&self.alias)?,
            status: self.status(),
            title: self.title,
            description: self.description,
            memo: self.memo,
            created_at: clock::from_micros(self.created_at),
            updated_at: clock::from_micros(self.updated_at),
            deleted_at: self.deleted_at.map(clock::from_micros),
        })
    }
}

pub fn put(tx: &mut Tx<'_>, definition: &Definition, expect: Expect) -> Result<()> {
    let (id, row) = (definition.id, DefinitionRow::from(definition));
    let was: Option<DefinitionRow> = tx.definition.get_json(id.into())?;
    match (&was, expect) {
        (None, Expect::Absent) => {}
        (Some(was), Expect::Unchanged { updated_at })
            if !was.is_gone && was.updated_at == clock::to_micros(updated_at) => {}
        // Its id is used up, also when it was deleted for good.
        (Some(_), Expect::Absent) => return Err(Error::already_exists("task definition", &id)),
        (_, Expect::Unchanged { .. }) => return Err(Error::not_found("task definition", &id)),
    }
    if let Some(was) = was.filter(DefinitionRow::is_live) {
        tx.alias.remove(&was.alias)?;
    }
    if row.is_live() {
        if tx.alias.has(&row.alias)? {
            return Err(Error::already_exists("task definition", &row.alias));
        }
        tx.alias.insert(&row.alias, id.into())?;
    }
    tx.definition.insert_json(id.into(), &row)
}

pub fn delete(tx: &mut Tx<'_>, id: DefinitionId) -> Result<()> {
    let row = tx.definition.get_json(id.into())?.filter(|row: &DefinitionRow| !row.is_gone);
    let row = row.ok_or_else(|| Error::not_found("task definition", &id))?;
    // No row says which tasks a definition has: this is asked once in its life.
    for state in [State::Ready, State::Later, State::Leased, State::Paused] {
        let state = state as u8;
        let live = tx.state.walk((state, 0)..=(state, i64::MAX), |(_, number), ()| Some(number))?;
        for number in live {
            if tx.record(number)?.is_some_and(|record| record.definition == id) {
                return Err(Error::definition_in_use(&id));
            }
        }
    }
    if row.is_live() {
        tx.alias.remove(&row.alias)?;
    }
    tx.definition.insert_json(id.into(), &DefinitionRow { is_gone: true, ..row })
}

pub fn get(view: &View, key: &DefinitionKey) -> Result<Option<Definition>> {
    let id = match key {
        DefinitionKey::Id(id) => Some(u128::from(*id)),
        DefinitionKey::Alias(alias) => view.get(&view.alias, alias.as_str(), |id| id)?,
    };
    let row: Option<DefinitionRow> = match id {
        Some(id) => view.json(&view.definition, id)?,
        None => None,
    };
    row.filter(|row| !row.is_gone).map(DefinitionRow::into_definition).transpose()
}

pub fn list(view: &View, query: &DefinitionQuery) -> Result<Page<Definition>> {
    let bad = |_| Error::invalid("cursor", "it does not come from a page of definitions");
    let after = query.after.as_ref().map(|Cursor(id)| id.parse::<DefinitionId>().map_err(bad));
    let mut page = Page { items: Vec::new(), next: None };
    let mut last = after.transpose()?;
    loop {
        let Some((id, json)) = view.next_definition(last)? else { return Ok(page) };
        if page.items.len() >= query.limit as usize {
            page.next = page.items.last().map(|last: &Definition| Cursor(last.id.to_string()));
            return Ok(page);
        }
        last = Some(id);
        let row: DefinitionRow = serde_json::from_str(&json).map_err(unreadable)?;
        if row.is_live() || (query.with_deleted && !row.is_gone) {
            page.items.push(row.into_definition()?);
        }
    }
}
