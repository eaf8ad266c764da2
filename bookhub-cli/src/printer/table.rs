//! Books in columns: how wide they are, and what gives way on a narrow terminal. Must not know
//! where the table goes.

use comfy_table::{
    Cell, CellAlignment, ColumnConstraint, ContentArrangement, Row, Table, Width, presets,
};

use super::{
    BOLD,
    text::{one_line, rupees},
};
use crate::shelves::BookView;

/// Between two columns.
const GAP: u16 = 2;
/// As much room for titles as the pages after the first one may need.
const LONG_TITLE: u16 = 60;
/// A title that is narrower than this says too little: another column gives way.
const USEFUL_TITLE: u16 = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Id,
    Title,
    Author,
    Genre,
    Year,
    Price,
    Stock,
}

use Column::{Author, Genre, Id, Price, Stock, Title, Year};

/// From the widest table to the narrowest.
const CHOICES: [&[Column]; 4] = [
    &[Id, Title, Author, Genre, Year, Price, Stock],
    &[Id, Title, Author, Price, Stock],
    &[Id, Title, Price, Stock],
    &[Id, Title],
];

/// Which columns a list has, and how wide: settled by its first page, so that the pages after it
/// stand below each other.
#[derive(Debug)]
pub(super) struct Layout {
    columns: Vec<(Column, u16)>,
    /// Without a terminal nothing is cut: a long cell pushes the others aside.
    cut: bool,
}

impl Layout {
    /// For a list that begins with `books`, on a terminal of this width if it is one.
    pub(super) fn of(books: &[BookView], terminal: Option<u16>) -> Self {
        let natural = |column: Column| {
            let cells = books.iter().map(|book| width(&column.cell(book)));
            cells.chain([width(column.name())]).max().unwrap_or(0)
        };
        let Some(terminal) = terminal else {
            let columns = CHOICES[0].iter().map(|column| (*column, natural(*column))).collect();
            return Self { columns, cut: false };
        };
        let mut columns = Vec::new();
        for choice in CHOICES {
            columns = choice
                .iter()
                .map(|column| (*column, natural(*column).min(column.most(terminal))))
                .collect::<Vec<_>>();
            let gaps = GAP * u16::try_from(columns.len()).unwrap_or(0);
            let others: u16 = columns.iter().filter(|(c, _)| *c != Title).map(|(_, w)| w).sum();
            let room = terminal.saturating_sub(others + gaps);
            if let Some((_, title)) = columns.iter_mut().find(|(column, _)| *column == Title) {
                *title = room.min((*title).max(LONG_TITLE)).max(8);
            }
            if room >= USEFUL_TITLE {
                break;
            }
        }
        Self { columns, cut: true }
    }

    /// The names of the columns, as a line.
    pub(super) fn header(&self) -> String {
        let names = self.columns.iter().map(|(column, _)| Cell::new(column.name()));
        let line = self.lines([names.collect()]);
        format!("{BOLD}{}{BOLD:#}\n", line.trim_end())
    }

    /// Books, a line each.
    pub(super) fn rows(&self, books: &[BookView]) -> String {
        let row = |book: &BookView| -> Vec<Cell> {
            self.columns.iter().map(|(column, _)| Cell::new_owned(column.cell(book))).collect()
        };
        self.lines(books.iter().map(row))
    }

    fn lines(&self, rows: impl IntoIterator<Item = Vec<Cell>>) -> String {
        let mut table = Table::new();
        table.force_no_tty().load_style(presets::NOTHING);
        for cells in rows {
            let mut row = Row::from(cells);
            if self.cut {
                row.max_height(1);
            }
            table.add_row(row);
        }
        for (index, (column, width)) in self.columns.iter().enumerate() {
            let Some(drawn) = table.column_mut(index) else {
                continue;
            };
            let width = Width::Fixed(width + GAP);
            drawn.set_padding((0, GAP)).set_cell_alignment(column.alignment());
            drawn.set_constraint(if self.cut {
                ColumnConstraint::Absolute(width)
            } else {
                ColumnConstraint::LowerBoundary(width)
            });
        }
        let mut text = table.trim_fmt();
        text.push('\n');
        text
    }
}

impl Column {
    const fn name(self) -> &'static str {
        match self {
            Id => "ID",
            Title => "Title",
            Author => "Author",
            Genre => "Genre",
            Year => "Year",
            Price => "Price",
            Stock => "Stock",
        }
    }

    fn cell(self, book: &BookView) -> String {
        match self {
            Id => one_line(&book.id),
            Title => one_line(&book.title),
            Author => one_line(&book.author),
            Genre => one_line(&book.genre),
            Year => book.year.to_string(),
            Price => rupees(&book.price),
            Stock => book.stock.to_string(),
        }
    }

    const fn alignment(self) -> CellAlignment {
        match self {
            Id | Title | Author | Genre => CellAlignment::Left,
            Year | Price | Stock => CellAlignment::Right,
        }
    }

    /// How wide it may be at most. Ids and figures are no use if they are cut.
    const fn most(self, terminal: u16) -> u16 {
        match self {
            Author => terminal / 5,
            Genre => terminal / 8,
            Id | Title | Year | Price | Stock => u16::MAX / 8,
        }
    }
}

/// Everything about a book, a line each.
pub(super) fn details(book: &BookView) -> String {
    let mut table = Table::new();
    let terminal = table.width();
    table.load_style(presets::NOTHING);
    if let Some(width) = terminal {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    let optional = |text: &Option<String>| text.as_deref().map(one_line);
    for (name, value) in [
        ("ID", Some(one_line(&book.id))),
        ("Title", Some(one_line(&book.title))),
        ("Author", Some(one_line(&book.author))),
        ("Genre", Some(one_line(&book.genre))),
        ("Year", Some(book.year.to_string())),
        ("Price", Some(rupees(&book.price))),
        ("Stock", Some(book.stock.to_string())),
        ("ISBN", optional(&book.isbn)),
        ("Cover", optional(&book.cover_url)),
        ("Description", optional(&book.description)),
        ("Version", Some(book.version.to_string())),
        ("Created", optional(&book.created_at)),
        ("Updated", optional(&book.updated_at)),
    ] {
        if let Some(value) = value {
            table.add_row([name, &value]);
        }
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    table.trim_fmt()
}

/// The width of the terminal that standard output is, if it is one.
pub(super) fn terminal_width() -> Option<u16> {
    Table::new().width()
}

/// How many columns a text takes, as the table counts them.
fn width(text: &str) -> u16 {
    let mut table = Table::new();
    table.add_row([text]);
    table.column_max_content_widths().first().copied().unwrap_or(0)
}
