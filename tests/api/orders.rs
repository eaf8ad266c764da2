//! `/api/orders`.

use anyhow::{Context as _, Result};
use bookhub_tests::{Person, Server, Socket};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{answer, fields, header, is_refused, sent, walk};

const ORDERS: &str = "/api/orders";

/// An order of so many copies of a book.
fn of(book: &Value, quantity: u32) -> Value {
    json!({
        "items": [{ "bookId": book["id"], "quantity": quantity }], "customer": { "name": "Asha" },
    })
}

fn place(who: &Person, order: &Value) -> RequestBuilder {
    who.request(Method::POST, ORDERS).json(order)
}

fn place_by_key(who: &Person, order: &Value, key: &str) -> RequestBuilder {
    place(who, order).header("idempotency-key", key)
}

async fn placed(who: &Person, order: &Value) -> Result<Value> {
    let (status, body) = answer(place(who, order)).await?;
    anyhow::ensure!(status == 201, "{body}");
    Ok(body)
}

async fn stock(who: &Person, book: &Value) -> Result<Value> {
    let id = book["id"].as_str().context("an id")?;
    Ok(who.get(&format!("/api/books/{id}")).await?["stock"].clone())
}

fn path(order: &Value) -> String {
    format!("{ORDERS}/{}", order["id"].as_str().unwrap_or_default())
}

pub(crate) async fn an_order_is_placed_once_by_its_key(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    let (asha, ravi) = (shop.user("asha").await?, shop.user("ravi").await?);
    let book = admin.create("Emma").await?;
    let order = of(&book, 2);

    let first = place_by_key(&asha, &order, "one").send().await?;
    assert_eq!(first.status(), 201);
    let location = header(&first, "location")?.to_owned();
    assert_eq!(header(&first, "cache-control")?, "no-store");
    let first = first.text().await?;
    let body: Value = serde_json::from_str(&first)?;
    assert_eq!(location, path(&body));
    assert_eq!((&body["status"], &body["total"]), (&json!("placed"), &json!(500)), "{body}");
    assert_eq!(asha.get(&location).await?, body);
    assert_eq!(stock(&admin, &book).await?, 5);

    // Also after it has moved on, and with the key in quotation marks.
    assert_eq!(
        sent(&admin, Method::PATCH, &location, &json!({ "status": "shipped" })).await?.0,
        200
    );
    for key in ["one", "\"one\""] {
        let again = place_by_key(&asha, &order, key).send().await?;
        assert_eq!((again.status().as_u16(), header(&again, "location")?), (201, &*location));
        assert_eq!(again.text().await?, first, "{key}");
    }
    assert_eq!(stock(&admin, &book).await?, 5);
    is_refused(
        &answer(place_by_key(&asha, &of(&book, 3), "one")).await?,
        422,
        "idempotency_key_reused",
    );
    // Keys of different users never meet.
    let (status, theirs) = answer(place_by_key(&ravi, &order, "one")).await?;
    assert_eq!(status, 201);
    assert_ne!(theirs["id"], body["id"]);

    let twice = place_by_key(&asha, &order, "one").header("idempotency-key", "two");
    let long = "x".repeat(201);
    for wrong in [twice, place_by_key(&asha, &order, ""), place_by_key(&asha, &order, &long)] {
        let refused = answer(wrong).await?;
        is_refused(&refused, 400, "invalid");
        assert_eq!(fields(&refused.1), ["idempotency-key"]);
    }
    // A refusal is told again, too.
    let many = of(&book, 100);
    let refused = answer(place_by_key(&asha, &many, "many")).await?;
    is_refused(&refused, 409, "out_of_stock");
    let id = book["id"].as_str().context("an id")?;
    let more = json!({ "delta": 500, "reason": "delivery" });
    assert_eq!(sent(&admin, Method::POST, &format!("/api/books/{id}/stock"), &more).await?.0, 200);
    let again = answer(place_by_key(&asha, &many, "many")).await?;
    is_refused(&again, 409, "out_of_stock");
    assert_eq!(again.1["details"], refused.1["details"]);
    Ok(())
}

pub(crate) async fn what_was_ordered_stays_as_it_was(shop: &Server) -> Result<()> {
    let (admin, asha) = (shop.admin().await?, shop.user("asha").await?);
    let book = admin.create("Emma").await?;
    let id = book["id"].as_str().context("an id")?;
    let order = placed(&asha, &of(&book, 1)).await?;
    admin
        .patch(id, &json!({ "title": "Emma, revised", "genre": "Others", "price": 300.5 }))
        .await?;
    let item = &asha.get(&path(&order)).await?["items"][0];
    assert_eq!((&item["title"], &item["price"]), (&json!("Emma"), &json!(250)), "{item}");
    assert_eq!(item["genre"], "Tests");

    // Who has seen another price is asked first.
    let mut seen = of(&book, 2);
    seen["items"][0]["price"] = json!(250);
    let refused = answer(place(&asha, &seen)).await?;
    is_refused(&refused, 409, "price_changed");
    assert_eq!(fields(&refused.1), ["items[0].price"]);
    let detail = &refused.1["details"][0];
    assert_eq!((&detail["expected"], &detail["current"]), (&json!(250), &json!(300.5)), "{detail}");
    assert_eq!(detail["bookId"], book["id"]);
    seen["items"][0]["price"] = json!(300.5);
    assert_eq!(placed(&asha, &seen).await?["total"], json!(601));
    assert_eq!(stock(&admin, &book).await?, 4);
    Ok(())
}

pub(crate) async fn nobody_sells_more_than_there_is(shop: &Server) -> Result<()> {
    let (admin, asha) = (shop.admin().await?, shop.user("asha").await?);
    let (emma, persuasion) = (admin.create("Emma").await?, admin.create("Persuasion").await?);
    let missing = "01890a5d-ac96-774b-bcce-b302099a8057";
    let order = json!({
        "items": [
            { "bookId": emma["id"], "quantity": 1 },
            { "bookId": missing, "quantity": 1 },
            // Quantities of one book are one: 4 + 4 of 7.
            { "bookId": persuasion["id"], "quantity": 4 },
            { "bookId": persuasion["id"], "quantity": 4 },
        ],
        "customer": { "name": "Asha" },
    });
    let refused = answer(place(&asha, &order)).await?;
    is_refused(&refused, 409, "out_of_stock");
    assert_eq!(refused.1["error"], "Out of stock");
    assert_eq!(fields(&refused.1), ["items[1].quantity", "items[2].quantity"]);
    let details = &refused.1["details"];
    assert_eq!(details[0]["bookId"], missing);
    assert_eq!(
        (&details[1]["title"], &details[1]["wanted"], &details[1]["available"]),
        (&json!("Persuasion"), &json!(8), &json!(7))
    );
    for book in [&emma, &persuasion] {
        assert_eq!(stock(&admin, book).await?, 7);
    }
    assert_eq!(asha.get(ORDERS).await?, json!([]));

    // Many at once for the last seven.
    let order = of(&emma, 1);
    let buyers = (0..20).map(|_| answer(place(&asha, &order)));
    let answers = futures_util::future::try_join_all(buyers).await?;
    assert_eq!(answers.iter().filter(|(status, _)| *status == 201).count(), 7);
    for refused in answers.iter().filter(|(status, _)| *status != 201) {
        is_refused(refused, 409, "out_of_stock");
    }
    assert_eq!(stock(&admin, &emma).await?, 0);
    Ok(())
}

pub(crate) async fn orders_are_their_users_own(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    let (asha, ravi) = (shop.user("asha").await?, shop.user("ravi").await?);
    let book = admin.create("Emma").await?;
    let mut of_asha = Vec::new();
    for _ in 0..3 {
        of_asha.insert(0, placed(&asha, &of(&book, 1)).await?);
    }
    let of_ravi = placed(&ravi, &of(&book, 1)).await?;

    assert_eq!(walk(&asha, "/api/orders?limit=2").await?, of_asha);
    assert_eq!(walk(&ravi, ORDERS).await?, std::slice::from_ref(&of_ravi));
    is_refused(
        &sent(&ravi, Method::GET, &path(&of_asha[0]), &Value::Null).await?,
        404,
        "not_found",
    );
    let [id_of_asha, id_of_ravi] = [&of_asha[0], &of_ravi].map(|order| order["userId"].clone());
    let other = format!("{ORDERS}?user={}", id_of_asha.as_str().context("an id")?);
    is_refused(&answer(ravi.request(Method::GET, &other)).await?, 403, "admin_required");
    assert_eq!(walk(&asha, &other).await?, of_asha);

    // An admin sees them all, and may ask for some.
    let all = walk(&admin, "/api/orders?limit=3").await?;
    assert_eq!(
        all.iter().map(|order| &order["userId"]).collect::<Vec<_>>(),
        [&id_of_ravi, &id_of_asha, &id_of_asha, &id_of_asha]
    );
    assert_eq!(walk(&admin, &other).await?, of_asha);
    let ship = json!({ "status": "shipped" });
    assert_eq!(sent(&admin, Method::PATCH, &path(&of_ravi), &ship).await?.0, 200);
    let shipped = walk(&admin, "/api/orders?status=shipped").await?;
    assert_eq!(shipped.len(), 1);
    assert_eq!(shipped[0]["id"], of_ravi["id"]);
    assert_eq!(admin.get(&path(&of_asha[1])).await?, of_asha[1]);

    let page = admin.send(Method::GET, ORDERS, &Value::Null).await?;
    assert_eq!(header(&page, "cache-control")?, "no-store");
    assert!(header(&page, "x-feed-position")?.contains('-'));
    for wrong in
        ["limit=0", "limit=101", "status=lost", "user=me", "cursor=x", "q=1", "limit=1&limit=2"]
    {
        let refused = answer(admin.request(Method::GET, &format!("{ORDERS}?{wrong}"))).await?;
        is_refused(&refused, 400, "invalid");
        assert_eq!(fields(&refused.1), [wrong.split('=').next().unwrap_or_default()]);
    }
    // Guests have none.
    let guest = reqwest::Client::new();
    let (at, order) = (format!("{}{ORDERS}", shop.url), of(&book, 1));
    for request in [guest.get(&at), guest.post(&at).json(&order), guest.patch(format!("{at}/1"))] {
        is_refused(&answer(request).await?, 401, "login_required");
    }
    Ok(())
}

pub(crate) async fn an_order_moves_along_and_never_back(shop: &Server) -> Result<()> {
    let (admin, asha) = (shop.admin().await?, shop.user("asha").await?);
    let book = admin.create("Emma").await?;
    let order = placed(&asha, &of(&book, 3)).await?;
    let to = |status: &str| json!({ "status": status });
    let cancel = to("cancelled");
    is_refused(&sent(&asha, Method::PATCH, &path(&order), &cancel).await?, 403, "admin_required");
    for (status, version) in [("shipped", 2), ("delivered", 3)] {
        let (answered, body) = sent(&admin, Method::PATCH, &path(&order), &to(status)).await?;
        assert_eq!(
            (answered, &body["status"], &body["version"]),
            (200, &status.into(), &version.into())
        );
    }
    for status in ["placed", "shipped", "delivered", "cancelled"] {
        let refused = sent(&admin, Method::PATCH, &path(&order), &to(status)).await?;
        is_refused(&refused, 409, "status_not_allowed");
    }
    assert_eq!(stock(&admin, &book).await?, 4);

    // What is cancelled comes back, once.
    let other = placed(&asha, &of(&book, 2)).await?;
    assert_eq!(stock(&admin, &book).await?, 2);
    assert_eq!(sent(&admin, Method::PATCH, &path(&other), &cancel).await?.0, 200);
    let again = sent(&admin, Method::PATCH, &path(&other), &cancel).await?;
    is_refused(&again, 409, "status_not_allowed");
    assert_eq!(stock(&admin, &book).await?, 4);

    let missing = format!("{ORDERS}/01890a5d-ac96-774b-bcce-b302099a8057");
    for path in [&*missing, "/api/orders/emma", "/api/orders/%ff"] {
        is_refused(&sent(&admin, Method::PATCH, path, &cancel).await?, 404, "not_found");
        is_refused(&answer(admin.request(Method::GET, path)).await?, 404, "not_found");
    }
    for (wrong, field) in [
        (json!({}), "status"),
        (json!({ "status": "lost" }), "status"),
        (json!({ "status": null }), "status"),
        (json!({ "status": "shipped", "total": 0 }), "total"),
    ] {
        let refused = sent(&admin, Method::PATCH, &path(&order), &wrong).await?;
        is_refused(&refused, 400, "invalid");
        assert_eq!(fields(&refused.1), [field]);
    }
    is_refused(
        &answer(admin.request(Method::DELETE, &path(&order))).await?,
        405,
        "method_not_allowed",
    );
    Ok(())
}

pub(crate) async fn whoever_may_see_an_order_hears_of_it(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    let (asha, ravi) = (shop.user("asha").await?, shop.user("ravi").await?);
    let book = admin.create("Emma").await?;
    let me = asha.get("/api/auth/profile").await?["id"].as_str().context("an id")?.to_owned();
    let own = format!("orders.{me}");
    let mut sockets = Vec::new();
    for (who, topic, is_allowed) in [
        (&asha, &*own, true),
        (&admin, "orders.*", true),
        (&ravi, &*own, false),
        (&asha, "orders.*", false),
    ] {
        let mut socket = Socket::open(&shop.url, true).await?;
        socket.say(&json!({ "type": "hello", "topics": [topic], "auth": who.token })).await?;
        assert_eq!(socket.next().await?["event"], "connection:success");
        let subscribed = socket.next().await?;
        let list = if is_allowed { "topics" } else { "denied" };
        assert_eq!(subscribed["data"][list], json!([topic]), "{subscribed}");
        if is_allowed {
            sockets.push(socket);
        }
    }
    let order = placed(&asha, &of(&book, 1)).await?;
    let ship = json!({ "status": "shipped" });
    let (_, shipped) = sent(&admin, Method::PATCH, &path(&order), &ship).await?;
    for socket in &mut sockets {
        for (event, order) in [("order:placed", &order), ("order:updated", &shipped)] {
            let heard = socket.next().await?;
            assert_eq!((&heard["event"], &heard["topic"]), (&json!(event), &json!(own)), "{heard}");
            // All but who gets it.
            let mut told = order.clone();
            told.as_object_mut().context("an object")?.remove("customer");
            assert_eq!(heard["data"], told);
        }
    }
    Ok(())
}

pub(crate) async fn what_is_wrong_with_an_order_is_named(shop: &Server) -> Result<()> {
    let (admin, asha) = (shop.admin().await?, shop.user("asha").await?);
    let book = admin.create("Emma").await?;
    let good = of(&book, 1);
    let with = |pointer: &str, value: Value| {
        let mut order = good.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap_or_default();
        order.pointer_mut(parent).expect("it is there")[name] = value;
        order
    };
    for (wrong, field) in [
        (json!({}), "items"),
        (with("/items", json!([])), "items"),
        (with("/items", json!({ "$gt": "" })), "items"),
        (with("/items/0/bookId", json!({ "$ne": null })), "items[0].bookId"),
        (with("/items/0/quantity", json!(0)), "items[0].quantity"),
        (with("/items/0/quantity", json!(1.5)), "items[0].quantity"),
        (with("/items/0/price", json!("free")), "items[0].price"),
        (with("/items/0/title", json!("Mine")), "items[0].title"),
        (with("/customer/name", json!("")), "customer.name"),
        (with("/customer/email", json!("me")), "customer.email"),
        (with("/total", json!(0)), "total"),
        (with("/status", json!("delivered")), "status"),
        (with("/userId", json!("me")), "userId"),
    ] {
        let refused = answer(place(&asha, &wrong)).await?;
        is_refused(&refused, 400, "invalid");
        assert_eq!(fields(&refused.1).first(), Some(&field), "{wrong}");
    }
    let post = || asha.request(Method::POST, ORDERS);
    let json = "application/json";
    is_refused(&answer(post().body("{}")).await?, 415, "content_type");
    is_refused(&answer(post().header("content-type", json).body("{")).await?, 400, "invalid_json");
    is_refused(&answer(post().header("content-type", json).body("[]")).await?, 400, "invalid_json");
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(1 << 20));
    is_refused(
        &answer(post().header("content-type", json).body(large)).await?,
        413,
        "body_too_large",
    );
    assert_eq!(stock(&admin, &book).await?, 7);
    Ok(())
}
