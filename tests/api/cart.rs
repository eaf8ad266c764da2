//! `/api/cart`.

use anyhow::{Context as _, Result};
use bookhub_tests::{Person, Server};
use reqwest::Method;
use serde_json::{Value, json};

use super::{answer, fields, header, is_refused, sent};

const CART: &str = "/api/cart";

fn of(lines: &[(&Value, u32)]) -> Value {
    let item = |(book, quantity): &(&Value, u32)| {
        let id = book["id"].clone();
        json!({ "bookId": id, "quantity": quantity })
    };
    json!({ "items": lines.iter().map(item).collect::<Vec<_>>() })
}

async fn put(who: &Person, path: &str, cart: &Value) -> Result<Value> {
    let (status, body) = sent(who, Method::PUT, path, cart).await?;
    anyhow::ensure!(status == 200, "{body}");
    Ok(body)
}

/// How many copies of each of these books are in a cart; nothing else is.
fn quantities(cart: &Value, books: &[&Value]) -> Vec<u64> {
    let items = cart["items"].as_array().map_or(&[][..], Vec::as_slice);
    assert_eq!(items.len(), books.len(), "{cart}");
    let of_book = |book: &&Value| items.iter().find(|item| item["bookId"] == book["id"]);
    let quantity = |book| of_book(book).and_then(|item| item["quantity"].as_u64());
    books.iter().map(|book| quantity(book).unwrap_or_default()).collect()
}

pub(crate) async fn a_cart_is_the_same_on_every_device(shop: &Server) -> Result<()> {
    let (admin, phone) = (shop.admin().await?, shop.user("asha").await?);
    let desk = shop.again("asha").await?;
    let (emma, persuasion) = (admin.create("Emma").await?, admin.create("Persuasion").await?);
    assert_eq!(phone.get(CART).await?, json!({ "items": [], "total": 0 }));

    let cart = put(&phone, CART, &of(&[(&persuasion, 2), (&emma, 1)])).await?;
    assert_eq!(cart["total"], 750);
    let titles: Vec<_> = cart["items"].as_array().context("items")?.iter().collect();
    let titles: Vec<_> = titles.iter().map(|item| &item["book"]["title"]).collect();
    assert_eq!(titles, ["Persuasion", "Emma"]);
    assert_eq!(desk.get(CART).await?, cart);
    let read = desk.send(Method::GET, CART, &Value::Null).await?;
    assert_eq!(header(&read, "cache-control")?, "no-store");

    // It shows what the catalogue says now.
    let id = emma["id"].as_str().context("an id")?;
    admin.patch(id, &json!({ "price": 300 })).await?;
    assert_eq!(phone.get(CART).await?["total"], 800);
    admin.delete(id).await?;
    let cart = phone.get(CART).await?;
    assert_eq!((&cart["items"][1]["book"], &cart["total"]), (&Value::Null, &json!(500)));

    let cart = put(&desk, CART, &of(&[(&persuasion, 3)])).await?;
    assert_eq!(phone.get(CART).await?, cart);
    let empty = json!({ "items": [], "total": 0 });
    assert_eq!(sent(&phone, Method::DELETE, CART, &Value::Null).await?, (200, empty.clone()));
    assert_eq!(desk.get(CART).await?, empty);
    put(&desk, CART, &of(&[(&persuasion, 3)])).await?;
    assert_eq!(put(&desk, CART, &of(&[])).await?, empty);
    Ok(())
}

pub(crate) async fn what_a_guest_had_is_merged(shop: &Server) -> Result<()> {
    let (admin, asha) = (shop.admin().await?, shop.user("asha").await?);
    let (emma, persuasion) = (admin.create("Emma").await?, admin.create("Persuasion").await?);
    let sanditon = admin.create("Sanditon").await?;
    put(&asha, CART, &of(&[(&emma, 1), (&persuasion, 5)])).await?;
    let brought = of(&[(&persuasion, 2), (&emma, 4), (&sanditon, 1)]);
    // Also when a page sends it twice.
    for _ in 0..2 {
        let cart = put(&asha, "/api/cart?merge=true", &brought).await?;
        assert_eq!(quantities(&cart, &[&emma, &persuasion, &sanditon]), [4, 5, 1]);
    }
    let cart = put(&asha, "/api/cart?merge=false", &of(&[(&emma, 1)])).await?;
    assert_eq!(quantities(&cart, &[&emma]), [1]);

    // From many pages at once.
    let pages = [&emma, &persuasion, &sanditon].map(|book| of(&[(book, 7)]));
    let merges = pages.iter().map(|page| put(&asha, "/api/cart?merge=true", page));
    futures_util::future::try_join_all(merges).await?;
    let cart = asha.get(CART).await?;
    assert_eq!(quantities(&cart, &[&emma, &persuasion, &sanditon]), [7, 7, 7]);
    Ok(())
}

pub(crate) async fn a_cart_is_nobody_elses(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    let (asha, ravi) = (shop.user("asha").await?, shop.user("ravi").await?);
    let emma = admin.create("Emma").await?;
    put(&asha, CART, &of(&[(&emma, 1)])).await?;
    for other in [&ravi, &admin] {
        assert_eq!(other.get(CART).await?["items"], json!([]));
        assert_eq!(sent(other, Method::DELETE, CART, &Value::Null).await?.0, 200);
    }
    assert_eq!(quantities(&asha.get(CART).await?, &[&emma]), [1]);
    let guest = reqwest::Client::new();
    let at = format!("{}{CART}", shop.url);
    for request in [guest.get(&at), guest.put(&at).json(&of(&[])), guest.delete(&at)] {
        is_refused(&answer(request).await?, 401, "login_required");
    }
    is_refused(&answer(asha.request(Method::POST, CART)).await?, 405, "method_not_allowed");
    Ok(())
}

pub(crate) async fn what_is_wrong_with_a_cart_is_named(shop: &Server) -> Result<()> {
    let asha = shop.user("asha").await?;
    let book = "01890a5d-ac96-774b-bcce-b302099a8057";
    let item = |quantity: Value| json!({ "items": [{ "bookId": book, "quantity": quantity }] });
    for (wrong, field) in [
        (json!({}), "items"),
        (json!({ "items": { "$gt": "" } }), "items"),
        (json!({ "items": vec![&item(json!(1))["items"][0]; 101] }), "items"),
        (json!({ "items": [7] }), "items[0]"),
        (json!({ "items": [{ "bookId": { "$ne": 1 }, "quantity": 1 }] }), "items[0].bookId"),
        (json!({ "items": [{ "quantity": 1 }] }), "items[0].bookId"),
        (item(json!(0)), "items[0].quantity"),
        (item(json!(1_001)), "items[0].quantity"),
        (item(json!("1")), "items[0].quantity"),
        (json!({ "items": [{ "bookId": book, "quantity": 1, "price": 0 }] }), "items[0].price"),
        (json!({ "items": [], "total": 0 }), "total"),
        (json!({ "items": [], "userId": "me" }), "userId"),
    ] {
        let refused = sent(&asha, Method::PUT, CART, &wrong).await?;
        is_refused(&refused, 400, "invalid");
        assert_eq!(fields(&refused.1).first(), Some(&field), "{wrong}");
    }
    for (query, field) in [("merge=yes", "merge"), ("merge=true&merge=true", "merge"), ("x=1", "x")]
    {
        let path = format!("{CART}?{query}");
        let refused = sent(&asha, Method::PUT, &path, &json!({ "items": [] })).await?;
        is_refused(&refused, 400, "invalid");
        assert_eq!(fields(&refused.1), [field], "{query}");
    }
    // A book that there is not may be there: another device has not heard yet that it is gone.
    let cart = put(&asha, CART, &item(json!(2))).await?;
    assert_eq!(cart["items"], json!([{ "bookId": book, "quantity": 2, "book": null }]));
    Ok(())
}
