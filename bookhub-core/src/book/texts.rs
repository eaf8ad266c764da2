//! The texts of a book: title, author, genre, description, address of the cover.
//! Must not know how they are searched.

use std::borrow::Cow;

use url::Url;

use crate::{
    error::BadValue,
    text::{at_most, line, text_type},
};

text_type! {
    /// The title of a book: one line of 1 to 500 characters, trimmed.
    ///
    /// ```
    /// use bookhub_core::Title;
    ///
    /// assert_eq!(Title::new("  The Hobbit ").unwrap().as_str(), "The Hobbit");
    /// assert!(Title::new("a\u{7}b").is_err());
    /// ```
    Title, short, "a text of 1 to 500 characters"
}

text_type! {
    /// The author of a book, or its authors: one line of 1 to 500 characters, trimmed.
    ///
    /// ```
    /// use bookhub_core::Author;
    ///
    /// assert_eq!(Author::new("R. K. Narayan").unwrap().as_str(), "R. K. Narayan");
    /// ```
    Author, short, "a text of 1 to 500 characters"
}

text_type! {
    /// The genre of a book: one line of 1 to 500 characters, trimmed. Genres that differ only in
    /// case, accents or punctuation are one shelf: see [`GenreKey`](crate::GenreKey).
    ///
    /// ```
    /// use bookhub_core::{Genre, GenreKey};
    ///
    /// let spellings = ["Science Fiction", "science-fiction"];
    /// let [one, other] = spellings.map(|text| GenreKey::of(&Genre::new(text).unwrap()));
    /// assert_eq!(one, other);
    /// ```
    Genre, short, "a text of 1 to 500 characters"
}

text_type! {
    /// What a book is about: at most 10,000 characters. Lines end in `\n`.
    ///
    /// ```
    /// use bookhub_core::Description;
    ///
    /// let description = Description::new("In a hole in the ground\r\nthere lived a hobbit.\n");
    /// assert_eq!(description.unwrap().as_str(), "In a hole in the ground\nthere lived a hobbit.");
    /// ```
    Description, description, "a text of at most 10000 characters"
}

text_type! {
    /// The address of a picture of a book's front: `http` or `https`, at most 2,048 characters.
    ///
    /// ```
    /// use bookhub_core::CoverUrl;
    ///
    /// assert!(CoverUrl::new("https://covers.example.org/1.jpg").is_ok());
    /// assert!(CoverUrl::new("javascript:alert(1)").is_err());
    /// ```
    CoverUrl, cover_url, "the address of a picture, starting with https:// or http://"
}

text_type! {
    /// Why an admin corrects a stock: one line of 1 to 500 characters.
    ///
    /// ```
    /// use bookhub_core::StockReason;
    ///
    /// assert!(StockReason::new("water damage").is_ok());
    /// ```
    StockReason, short, "a text of 1 to 500 characters"
}

fn short(text: &str) -> Result<Cow<'_, str>, BadValue> {
    line(text, 500).map(Cow::Borrowed)
}

fn description(text: &str) -> Result<Cow<'_, str>, BadValue> {
    let text = text.trim();
    let text: Cow<'_, str> =
        if text.contains('\r') { text.replace("\r\n", "\n").into() } else { text.into() };
    at_most(&text, 10_000)?;
    if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        return Err(BadValue::new("Must not have control characters except line breaks and tabs."));
    }
    Ok(text)
}

fn cover_url(text: &str) -> Result<Cow<'_, str>, BadValue> {
    let refused = || BadValue::new("Must be a web address such as https://example.org/cover.jpg.");
    let text = text.trim();
    at_most(text, 2048)?;
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(refused());
    }
    let url = Url::parse(text).map_err(|_| refused())?;
    let has_host = url.host_str().is_some_and(|host| !host.is_empty());
    if !matches!(url.scheme(), "http" | "https") || !has_host {
        return Err(refused());
    }
    let text = String::from(url);
    at_most(&text, 2048)?;
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_visible_lines() {
        for good in ["1984", " É ", "बालक", "三体", "👩‍🚀", &"x".repeat(500)] {
            assert!(Title::new(good).is_ok(), "{good}");
        }
        for bad in
            ["", "   ", "\u{200b}", "a\nb", "a\tb", "a\0b", "\u{85}x\u{9f}y", &"é".repeat(501)]
        {
            assert!(Title::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn covers_are_on_the_web() {
        let good = ["http://a.b/c", "HTTPS://EXAMPLE.org", "https://xn--bcher-kva.example/ü?x=y"];
        for good in good {
            assert!(CoverUrl::new(good).is_ok(), "{good}");
        }
        let long = format!("https://a.b/{}", "x".repeat(2040));
        let bad = [
            "",
            "cover.jpg",
            "//a.b/c",
            "javascript:alert(1)",
            "java\tscript:alert(1)",
            "data:,x",
            "https://",
            "http:///",
            "ftp://a.b/c",
            "https://a b/",
            "https://a.b/\u{0}",
            &long,
        ];
        for bad in bad {
            assert!(CoverUrl::new(bad).is_err(), "{bad:?}");
        }
    }
}
