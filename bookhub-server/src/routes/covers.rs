//! Covers drawn by the server, for books without a picture: title, author, and a colour from the
//! genre.

use std::fmt::Write as _;

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use bookhub_core::{Book, normalise};

use super::shared::parse_id;
use crate::{error::ApiError, etag, state::AppState};

/// The characters that fit a line of the title, and of the author.
const TITLE_WIDTH: usize = 13;
const AUTHOR_WIDTH: usize = 24;
const TITLE_LINES: usize = 6;

/// `GET /covers/{id}.svg`
pub(crate) async fn cover(
    State(state): State<AppState>,
    file: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let file = file.map(|Path(file)| file).unwrap_or_default();
    let id = file.strip_suffix(".svg").ok_or(ApiError::NotFound("Cover not found"))?;
    let (book, _) = state.catalog.get(parse_id(id)?).await?;
    let tag = format!("\"{}\"", book.version);
    let known = etag::is_known(&headers, &tag);
    let caching = [(header::ETAG, tag), (header::CACHE_CONTROL, "public, max-age=300".to_owned())];
    if known {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        // The shop's pages elsewhere show it, too.
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ];
    Ok((caching, headers, draw(&book)).into_response())
}

fn draw(book: &Book) -> String {
    let content = &book.content;
    let hue = hue(content.genre.as_str());
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 200 300\" role=\"img\">\
         <rect width=\"200\" height=\"300\" fill=\"hsl({hue} 38% 30%)\"/>\
         <rect width=\"12\" height=\"300\" fill=\"hsl({hue} 42% 22%)\"/>\
         <rect x=\"26\" y=\"22\" width=\"160\" height=\"256\" fill=\"none\" \
         stroke=\"hsl({hue} 45% 70%)\" stroke-width=\"1.5\"/>\
         <g fill=\"hsl({hue} 60% 95%)\" text-anchor=\"middle\" font-family=\"Georgia, serif\">"
    );
    let mut y = 72;
    for line in wrapped(content.title.as_str(), TITLE_WIDTH, TITLE_LINES) {
        text(&mut svg, y, 19, &line);
        y += 25;
    }
    y = 250;
    for line in wrapped(content.author.as_str(), AUTHOR_WIDTH, 2).iter().rev() {
        text(&mut svg, y, 12, line);
        y -= 16;
    }
    svg.push_str("</g></svg>");
    svg
}

fn text(svg: &mut String, y: u32, size: u32, line: &str) {
    let _ = write!(svg, "<text x=\"106\" y=\"{y}\" font-size=\"{size}\">{}</text>", escaped(line));
}

/// A colour of the circle for each genre, the same whatever its spelling.
fn hue(genre: &str) -> u32 {
    let mixed = normalise(genre)
        .bytes()
        .fold(2_166_136_261_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619));
    // Spreads the few bits in which short names differ over the whole circle.
    (mixed.wrapping_mul(2_654_435_769) >> 16) % 360
}

/// Lines of whole words where these fit, the last one cut where too much is left.
fn wrapped(text: &str, width: usize, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let pieces = text.split_whitespace().flat_map(|word| {
        let chars: Vec<char> = word.chars().collect();
        chars.chunks(width).map(String::from_iter).collect::<Vec<_>>()
    });
    for piece in pieces {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + piece.chars().count() <= width => {
                line.push(' ');
                line.push_str(&piece);
            }
            _ => lines.push(piece),
        }
    }
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            last.push('…');
        }
    }
    lines
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_titles_are_wrapped_cut_and_never_lost_in_one_line() {
        assert_eq!(wrapped("To Kill a Mockingbird", 13, 6), ["To Kill a", "Mockingbird"]);
        assert_eq!(wrapped(&"x".repeat(39), 13, 6).len(), 3);
        let cut = wrapped(&"word ".repeat(100), 13, 6);
        assert_eq!(cut.len(), 6);
        assert!(cut[5].ends_with('…'));
    }

    #[test]
    fn markup_in_a_title_stays_text() {
        assert_eq!(escaped("<script>&\""), "&lt;script&gt;&amp;&quot;");
    }

    #[test]
    fn a_genre_has_one_colour_however_it_is_spelt() {
        assert_eq!(hue("Science Fiction"), hue("science  fiction"));
        assert_ne!(hue("Science Fiction"), hue("Fantasy"));
    }
}
