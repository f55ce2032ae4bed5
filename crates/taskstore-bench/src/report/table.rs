//! Tables, as text and as Markdown.

/// Rows under a head; the first columns are words, the others numbers.
pub(crate) struct Table {
    pub(crate) title: &'static str,
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// Columns of words.
const WORDS: usize = 2;

impl Table {
    /// With columns of even width.
    pub(crate) fn to_text(&self) -> String {
        let widths: Vec<usize> = (0..self.head.len())
            .map(|n| self.lines().filter_map(|line| line.get(n)).map(|c| c.chars().count()).max())
            .map(Option::unwrap_or_default)
            .collect();
        let line = |cells: &Vec<String>| {
            let cells = cells.iter().zip(&widths).enumerate();
            let padded = cells.map(|(n, (cell, width))| {
                if n < WORDS { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            let line = padded.collect::<Vec<_>>().join("  ");
            format!("  {}\n", line.trim_end())
        };
        self.lines().map(line).collect()
    }

    pub(crate) fn to_markdown(&self) -> String {
        let line = |cells: &Vec<String>| format!("| {} |\n", cells.join(" | "));
        let rule = (0..self.head.len()).map(|n| if n < WORDS { "---" } else { "---:" });
        let rule = line(&rule.map(Into::into).collect());
        line(&self.head) + &rule + &self.rows.iter().map(line).collect::<String>()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn lines(&self) -> impl Iterator<Item = &Vec<String>> {
        std::iter::once(&self.head).chain(&self.rows)
    }
}

/// A number with three digits that count, or all of those before the point.
pub(crate) fn figure_text(value: f64) -> String {
    let size = value.abs();
    let decimals = match size {
        _ if value == 0.0 || size >= 100.0 => 0,
        _ if size >= 10.0 => 1,
        _ if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.split_once('.').map_or((&*text, None), |(w, r)| (w, Some(r)));
    let mut grouped = String::new();
    let digits = whole.trim_start_matches('-');
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if whole.starts_with('-') { "-" } else { "" };
    rest.map_or_else(|| format!("{sign}{grouped}"), |rest| format!("{sign}{grouped}.{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table {
            title: "t",
            head: ["case", "on", "µs"].map(Into::into).into(),
            rows: vec![["drain", "disk", "1,234"].map(Into::into).into()],
        }
    }

    #[test]
    fn numbers_have_three_digits_that_count() {
        let texts = [0.0, 0.0123, 1.234, 12.34, 123.4, 1_234.0, -1_234_567.8, -0.5, 999.9];
        let texts = texts.map(figure_text);
        let wanted =
            ["0", "0.012", "1.23", "12.3", "123", "1,234", "-1,234,568", "-0.500", "1,000"];
        assert_eq!(texts, wanted);
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        assert_eq!(table().to_text(), "  case   on       µs\n  drain  disk  1,234\n");
    }

    #[test]
    fn a_page_gets_a_table() {
        let text = "| case | on | µs |\n| --- | --- | ---: |\n| drain | disk | 1,234 |\n";
        assert_eq!(table().to_markdown(), text);
    }
}
