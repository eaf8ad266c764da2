#![doc = include_str!("links.md")]
#![doc = include_str!("README.md")]

// Each chapter is a file of text and a module without code. What it links to stands in `links.md`,
// before the text, so that a link goes to the item here and to the file where the text is read alone.
// What `client` does is linked to only where it is there.

/// Declares the chapters.
macro_rules! chapters {
    ($($name:ident)*) => {$(
        #[cfg_attr(feature = "client", doc = include_str!("links_client.md"))]
        #[cfg_attr(not(feature = "client"), doc = include_str!("links_no_client.md"))]
        #[doc = include_str!("links.md")]
        #[doc = include_str!(concat!(stringify!($name), ".md"))]
        pub mod $name {}
    )*};
}

chapters! { concepts protocol guarantees publishing access mounting operation clients servers testing }
