//! A way to a server that knows when the server is done with whoever is gone: one that was killed
//! leaves requests behind, which a server answers before it notices.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use tokio::{
    io::{AsyncWriteExt as _, copy, sink},
    net::{TcpListener, TcpStream},
    select,
    sync::watch,
    time::timeout,
};

use crate::PATIENCE;

/// Passes on connections to one server, both ways.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    open: watch::Sender<usize>,
    is_cut: watch::Sender<bool>,
}

impl Relay {
    /// A way to the server at `server`, for as long as the runtime lives.
    ///
    /// # Errors
    /// If there is no port.
    pub async fn to(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (open, is_cut) = (watch::Sender::new(0), watch::Sender::new(false));
        let (counter, cut) = (open.clone(), is_cut.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                counter.send_modify(|open| *open += 1);
                let (counter, mut cut) = (counter.clone(), cut.subscribe());
                tokio::spawn(async move {
                    select! {
                        biased;
                        _ = cut.wait_for(|cut| *cut) => {}
                        _ = pass_on(client, server) => {}
                    }
                    counter.send_modify(|open| *open -= 1);
                });
            }
        });
        Ok(Self { address, open, is_cut })
    }

    /// Where its clients connect to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes every connection, and each that is opened, until it is mended.
    pub fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    /// Passes on again.
    pub fn mend(&self) {
        self.is_cut.send_replace(false);
    }

    /// Waits until the server has closed every connection: it is done with what came on them.
    ///
    /// # Errors
    /// If it does not.
    pub async fn is_left(&self) -> io::Result<()> {
        let mut open = self.open.subscribe();
        timeout(PATIENCE, open.wait_for(|open| *open == 0)).await?.map_err(io::Error::other)?;
        Ok(())
    }
}

async fn pass_on(client: TcpStream, server: SocketAddr) -> io::Result<()> {
    let server = TcpStream::connect(server).await?;
    let (mut requests, mut to_client) = client.into_split();
    let (mut answers, mut to_server) = server.into_split();
    let asking = async {
        let _ = copy(&mut requests, &mut to_server).await;
        let _ = to_server.shutdown().await;
    };
    // What nobody is there to read any more is read all the same, up to the end.
    let answering = async {
        let _ = copy(&mut answers, &mut to_client).await;
        let _ = copy(&mut answers, &mut sink()).await;
        let _ = to_client.shutdown().await;
    };
    tokio::join!(asking, answering);
    Ok(())
}
