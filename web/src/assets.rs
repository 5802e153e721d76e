//! Style sheets and scripts, embedded in the binary and served under names that carry their content's hash.
//!
//! A changed file has another name, so browsers keep each for good. Third-party files come from `build.rs`.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use sha2::{Digest, Sha256};

/// One embedded file.
pub(crate) struct Asset {
    /// `app.0123456789ab.css`
    file: String,
    kind: &'static str,
    content: &'static [u8],
}

impl Asset {
    fn new(stem: &str, extension: &str, kind: &'static str, content: &'static [u8]) -> Self {
        let hash = hex::encode(&Sha256::digest(content)[..6]);
        Self { file: format!("{stem}.{hash}.{extension}"), kind, content }
    }

    fn url(&self) -> String {
        format!("/assets/{}", self.file)
    }
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

static ASSETS: LazyLock<[Asset; 6]> = LazyLock::new(|| {
    [
        Asset::new("htmx", "js", SCRIPT, include_bytes!(concat!(env!("OUT_DIR"), "/vendor/htmx.js"))),
        Asset::new("sse", "js", SCRIPT, include_bytes!(concat!(env!("OUT_DIR"), "/vendor/sse.js"))),
        Asset::new("uplot", "js", SCRIPT, include_bytes!(concat!(env!("OUT_DIR"), "/vendor/uplot.js"))),
        Asset::new("app", "js", SCRIPT, include_bytes!("../assets/app.js")),
        Asset::new("styles", "css", STYLE, STYLES),
        Asset::new("icon", "svg", "image/svg+xml", include_bytes!("../assets/icon.svg")),
    ]
});

/// uPlot's rules first, so that ours win.
const STYLES: &[u8] =
    concat!(include_str!(concat!(env!("OUT_DIR"), "/vendor/uplot.css")), "\n", include_str!("../assets/app.css"))
        .as_bytes();

/// Addresses of the files, as the layout names them.
pub(crate) struct Links {
    pub(crate) htmx: String,
    pub(crate) sse: String,
    pub(crate) uplot: String,
    pub(crate) app: String,
    pub(crate) styles: String,
    pub(crate) icon: String,
}

/// Addresses of the files, computed once.
pub(crate) static LINKS: LazyLock<Links> = LazyLock::new(|| {
    let [htmx, sse, uplot, app, styles, icon] = &*ASSETS;
    Links {
        htmx: htmx.url(),
        sse: sse.url(),
        uplot: uplot.url(),
        app: app.url(),
        styles: styles.url(),
        icon: icon.url(),
    }
});

/// `GET /assets/{file}`
pub(crate) async fn get(Path(file): Path<String>) -> Response {
    match ASSETS.iter().find(|asset| asset.file == file) {
        Some(asset) => (
            [(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")],
            asset.content,
        )
            .into_response(),
        None => (StatusCode::NOT_FOUND, "no such file: load the page again").into_response(),
    }
}
