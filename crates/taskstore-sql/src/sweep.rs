//! The path of a sweep: through ready, then through later, then through the records, so many rows a
//! look, from where the last look ended. The engine reads the rows; what they mean is decided here.

use taskstore_core::{
    Error, Result,
    backend::{Cursor, Sweep},
};

/// A record is only asked for its status, unless it is active: so many cost what one place does.
const RECORDS_A_PLACE: i64 = 10;

/// What is wrong with a row of ready or later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Its task has no record.
    NoRecord,
    /// Its task is not waiting there.
    Elsewhere,
    /// Its task has no parameters.
    NoParameters,
    /// Its task has no definition.
    NoDefinition,
}

impl Wrong {
    /// What the number stands for that `sweep_ready` and `sweep_later` answer.
    pub fn of(code: impl Into<i64>) -> Option<Self> {
        match code.into() {
            0 => None,
            1 => Some(Self::NoRecord),
            2 => Some(Self::Elsewhere),
            3 => Some(Self::NoParameters),
            _ => Some(Self::NoDefinition),
        }
    }
}

/// A row of ready or later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceRow {
    /// Of ready; else of later.
    pub ready: bool,
    /// Its queue.
    pub queue: String,
    /// Its priority.
    pub priority: i64,
    /// Its time, in microseconds.
    pub run_at: i64,
    /// The key of its task inside the database.
    pub task: i64,
}

impl PlaceRow {
    /// What is told of it once it is dropped.
    #[must_use]
    pub fn dropped(&self, wrong: Wrong) -> String {
        let table = if self.ready { "task_ready" } else { "task_later" };
        let why = match wrong {
            Wrong::NoRecord => "has no record",
            Wrong::Elsewhere => "does not wait there",
            Wrong::NoParameters => "has no parameters",
            Wrong::NoDefinition => "has no definition",
        };
        format!("{table}: task {} of queue {} {why}", self.task, self.queue)
    }

    /// The row to look on from, so that this one is the first that is seen.
    #[must_use]
    pub fn before(&self) -> Self {
        Self { task: self.task.saturating_sub(1), ..self.clone() }
    }
}

/// What to look at next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// So many rows of its table after this one, which need not be there, in the order of its key.
    Places(PlaceRow, i64),
    /// So many records after this one, as far as there are any.
    Records(i64, i64),
}

/// What one sweep has seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Records that seem to be nowhere.
    pub strays: Vec<i64>,
    /// Rows that seem to be nobody's.
    pub places: Vec<PlaceRow>,
    /// Where to go on; `None`: all was seen.
    pub next: Option<Cursor>,
}

impl Seen {
    /// Whether everything was as it should be.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.strays.is_empty() && self.places.is_empty()
    }
}

/// A sweep on its way: ask it where to [look](Self::look), tell it what is there, and so on until it wants
/// to see no more.
#[derive(Debug)]
pub struct Sweeping {
    at: Option<At>,
    left: i64,
    seen: Seen,
}

impl Sweeping {
    /// On from where the last one ended.
    ///
    /// # Errors
    /// [`Invalid`](Error::Invalid) of `cursor`: no sweep has made it.
    pub fn new(request: &Sweep) -> Result<Self> {
        let at = request.after.as_ref().map_or(Ok(At::start()), At::read)?;
        let left = i64::from(request.at_most.max(1));
        Ok(Self { at: Some(at), left, seen: Seen::default() })
    }

    /// Where to look; `None`: this is enough for now.
    #[must_use]
    pub fn look(&self) -> Option<Look> {
        Some(match self.at.as_ref()? {
            At::Ready(row) => Look::Places(row.clone(), self.left),
            &At::Later { run_at, task } => {
                let queue = String::new();
                let row = PlaceRow { ready: false, queue, priority: 0, run_at, task };
                Look::Places(row, self.left)
            }
            &At::Records(seq) => Look::Records(seq, self.left.saturating_mul(RECORDS_A_PLACE)),
        })
    }

    /// These rows are there, each with what is wrong with it.
    pub fn saw_places(&mut self, rows: Vec<(PlaceRow, Option<Wrong>)>) {
        let Some(at) = &self.at else { return };
        let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let last = rows.last().map(|(row, _)| row.clone());
        let at = match (at, last) {
            (At::Ready(_), Some(last)) if count >= self.left => At::Ready(last),
            (At::Ready(_), _) => At::Later { run_at: i64::MIN, task: 0 },
            (_, Some(last)) if count >= self.left => {
                At::Later { run_at: last.run_at, task: last.task }
            }
            _ => At::Records(0),
        };
        let wrong = rows.into_iter().filter(|(_, wrong)| wrong.is_some());
        self.seen.places.extend(wrong.map(|(row, _)| row));
        self.left -= count;
        if self.left > 0 {
            self.at = Some(at);
        } else {
            self.stop(Some(&at));
        }
    }

    /// These of the records up to `until` seem to be nowhere, and `last` is the last record of all.
    pub fn saw_records(&mut self, strays: impl IntoIterator<Item = i64>, until: i64, last: i64) {
        self.seen.strays.extend(strays);
        self.stop((until < last).then_some(&At::Records(until)));
    }

    /// What was seen.
    #[must_use]
    pub fn seen(self) -> Seen {
        self.seen
    }

    fn stop(&mut self, next: Option<&At>) {
        self.seen.next = next.map(At::cursor);
        self.at = None;
    }
}

/// Where a look ended: ready first, then later, then the records.
#[derive(Clone, Debug, PartialEq, Eq)]
enum At {
    Ready(PlaceRow),
    Later { run_at: i64, task: i64 },
    Records(i64),
}

impl At {
    fn start() -> Self {
        let queue = String::new();
        Self::Ready(PlaceRow { ready: true, queue, priority: i64::MIN, run_at: 0, task: 0 })
    }

    fn cursor(&self) -> Cursor {
        Cursor(match self {
            // The queue comes last, because it may hold dots itself.
            Self::Ready(row) => {
                format!("ready.{}.{}.{}.{}", row.priority, row.run_at, row.task, row.queue)
            }
            Self::Later { run_at, task } => format!("later.{run_at}.{task}"),
            Self::Records(seq) => format!("records.{seq}"),
        })
    }

    fn read(cursor: &Cursor) -> Result<Self> {
        let bad = || Error::invalid("cursor", "it was not made by this store for a sweep");
        let (kind, rest) = cursor.0.split_once('.').ok_or_else(bad)?;
        let mut words = rest.splitn(4, '.');
        let mut number = || words.next().and_then(|word| word.parse::<i64>().ok()).ok_or_else(bad);
        let at = match kind {
            "ready" => {
                let (priority, run_at, task) = (number()?, number()?, number()?);
                let queue = words.next().ok_or_else(bad)?.to_owned();
                Self::Ready(PlaceRow { ready: true, queue, priority, run_at, task })
            }
            "later" => Self::Later { run_at: number()?, task: number()? },
            "records" => Self::Records(number()?),
            _ => return Err(bad()),
        };
        if at.cursor() == *cursor { Ok(at) } else { Err(bad()) }
    }
}

#[cfg(test)]
mod tests {
    use taskstore_core::RunnerId;

    use super::*;

    fn row(ready: bool, task: i64) -> PlaceRow {
        PlaceRow { ready, queue: "a.b-c.".to_owned(), priority: -5, run_at: i64::MAX, task }
    }

    #[test]
    fn a_cursor_says_where_a_look_ended_and_garbage_is_refused() {
        for at in [
            At::start(),
            At::Ready(row(true, 3)),
            At::Later { run_at: -1, task: 2 },
            At::Records(9),
        ] {
            assert_eq!(At::read(&at.cursor()).unwrap(), at);
        }
        for text in ["", ".", "ready", "ready.1.2", "later.1", "later.+1.2", "records.", "x.1"] {
            assert!(At::read(&Cursor(text.to_owned())).is_err(), "{text}");
        }
    }

    #[test]
    fn a_sweep_goes_through_every_place_and_then_through_the_records() {
        let request = Sweep::new(RunnerId::new(), 3);
        let mut sweeping = Sweeping::new(&request).unwrap();
        let Some(Look::Places(from, 3)) = sweeping.look() else { panic!("{sweeping:?}") };
        assert!(from.ready);
        sweeping.saw_places(vec![(row(true, 1), None), (row(true, 2), Some(Wrong::NoRecord))]);
        let Some(Look::Places(from, 1)) = sweeping.look() else { panic!("{sweeping:?}") };
        assert!(!from.ready);
        sweeping.saw_places(Vec::new());
        assert_eq!(sweeping.look(), Some(Look::Records(0, 10)));
        sweeping.saw_records([7], 10, 11);
        assert_eq!(sweeping.look(), None);
        let seen = sweeping.seen();
        assert_eq!((seen.strays, seen.places), (vec![7], vec![row(true, 2)]));

        let mut rest = Sweeping::new(&request.after(seen.next.unwrap())).unwrap();
        assert_eq!(rest.look(), Some(Look::Records(10, 30)));
        rest.saw_records([], 11, 11);
        assert!(rest.look().is_none() && rest.seen().next.is_none());
    }

    #[test]
    fn a_full_look_goes_on_after_its_last_row() {
        for ready in [true, false] {
            let mut request = Sweep::new(RunnerId::new(), 1);
            if !ready {
                request = request.after(Cursor("later.0.0".to_owned()));
            }
            let mut sweeping = Sweeping::new(&request).unwrap();
            sweeping.saw_places(vec![(row(ready, 4), None)]);
            assert_eq!(sweeping.look(), None);
            let next = Sweeping::new(&request.after(sweeping.seen().next.unwrap())).unwrap();
            let Some(Look::Places(from, 1)) = next.look() else { panic!("{next:?}") };
            assert_eq!((from.ready, from.task), (ready, 4));
        }
    }
}
