//! Books that nobody wrote, the same on every run: words as frequent as words are (Zipf), authors
//! with many books and with one, a few genres, prices that shops like.

use bookhub_core::{Author, BookContent, BookDraft, Genre, Price, Stock, Title, Year};

/// Random numbers that are the same on every run (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }

    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Ranks of which the `n`th is `1/n` as frequent as the first.
struct Zipf(Vec<f64>);

impl Zipf {
    fn new(ranks: usize) -> Self {
        let mut sum = 0.0;
        Self(
            (1..=ranks)
                .map(|rank| {
                    sum += 1.0 / rank as f64;
                    sum
                })
                .collect(),
        )
    }

    fn rank(&self, random: &mut Random) -> usize {
        let at = random.fraction() * self.0.last().copied().unwrap_or(0.0);
        self.0.partition_point(|sum| *sum < at)
    }
}

/// Makes books.
pub(crate) struct Library {
    random: Random,
    words: Zipf,
    names: Zipf,
    genres: Zipf,
    made: u64,
}

pub(crate) const GENRES: [&str; 24] = [
    "Fantasy",
    "Science Fiction",
    "Mystery",
    "Thriller",
    "Horror",
    "Romance",
    "History",
    "Classics",
    "Literary Fiction",
    "Young Adult",
    "Children",
    "Poetry",
    "Drama",
    "Biography",
    "Memoir",
    "Science",
    "Philosophy",
    "Business",
    "Self-Help",
    "Graphic Novels",
    "Travel",
    "Cookery",
    "Politics",
    "Art",
];

impl Library {
    pub(crate) fn new() -> Self {
        let (words, names) = (Zipf::new(200_000), Zipf::new(60_000));
        Self { random: Random(42), words, names, genres: Zipf::new(GENRES.len()), made: 0 }
    }

    pub(crate) fn draft(&mut self) -> BookDraft {
        let random = &mut self.random;
        let words = 1 + random.below(6);
        let title: Vec<_> = (0..words).map(|_| word(self.words.rank(random), 1)).collect();
        let (first, last) = (self.names.rank(random) % 3000, self.names.rank(random));
        let author = format!("{} {}", word(first, 2), word(last, 3));
        let recent = 2026 - (60.0 * random.fraction().powi(2)) as i64;
        let year = if random.below(4) == 0 { 1500 + random.below(526) as i64 } else { recent };
        let price = [99, 149, 199, 249, 299, 349, 399, 499, 599, 799, 999, 1499][random.below(12)];
        self.made += 1;
        let content = BookContent {
            title: Title::new(&title.join(" ")).expect("a title"),
            author: Author::new(&author).expect("an author"),
            genre: Genre::new(GENRES[self.genres.rank(random)]).expect("a genre"),
            year: Year::new(year).expect("a year"),
            price: Price::from_paise(price * 100 + random.below(2) as u64 * 50).expect("a price"),
            isbn: (random.below(20) > 0).then(|| isbn(self.made)),
            cover_url: None,
            description: None,
        };
        BookDraft { content, stock: Stock::new(random.below(100) as i64).expect("a stock") }
    }
}

/// The word of a rank in titles: the lower the rank, the more frequent the word.
pub(crate) fn title_word(rank: usize) -> String {
    word(rank, 1)
}

/// The word of a rank: every letter begins some.
fn word(rank: usize, salt: usize) -> String {
    const CONSONANTS: &[u8] = b"bcdfghjklmnprstvwz";
    const VOWELS: &[u8] = b"aeiou";
    let mut left = rank * 7919 * salt % 1_000_003;
    let mut word = String::new();
    while word.is_empty() || left > 0 {
        word.push(char::from(CONSONANTS[left % CONSONANTS.len()]));
        left /= CONSONANTS.len();
        word.push(char::from(VOWELS[left % VOWELS.len()]));
        left /= VOWELS.len();
    }
    word
}

/// A valid ISBN, unlike any other; publishers have blocks of a hundred books.
fn isbn(number: u64) -> bookhub_core::Isbn {
    let scattered = (number / 100 * 48_271 % 9_999_991) * 100 + number % 100;
    let body = 978_000_000_000 + scattered % 1_000_000_000;
    let digit = |place: u32| body / 10_u64.pow(11 - place) % 10;
    let sum: u64 = (0..12).map(|place| digit(place) * if place % 2 == 0 { 1 } else { 3 }).sum();
    format!("{body}{}", (10 - sum % 10) % 10).parse().expect("an ISBN")
}
