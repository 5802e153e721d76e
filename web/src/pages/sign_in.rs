//! `/sign-in` and `/sign-out`: a token, from the printed link or typed, becomes a cookie that carries a name.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{FromRequestParts, Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::request::Parts;
use http::{StatusCode, header};

use crate::assets::{LINKS, Links};
use crate::session::{DEFAULT_USER, Session, forget, user_name};
use crate::site::{PageError, Signed, Site};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page {
    links: &'static Links,
    notice: Option<String>,
    /// What was wrong with the last try.
    problem: Option<&'static str>,
    /// Who is signed in, and the token of the form.
    session: Option<Session>,
}

fn page(site: &Site, status: StatusCode, problem: Option<&'static str>, session: Option<Session>) -> Response {
    let page = Page { links: &LINKS, notice: site.notice.clone(), problem, session };
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => PageError::from(error).into_response(),
    }
}

/// The answer to everybody who is not signed in.
pub(crate) fn unauthorized(site: &Site) -> Response {
    page(site, StatusCode::UNAUTHORIZED, None, None)
}

/// Whoever is signed in, if anybody is.
pub(crate) struct Maybe(Option<Session>);

impl FromRequestParts<Arc<Site>> for Maybe {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Self::Rejection> {
        Ok(Self(Signed::from_request_parts(parts, site).await.ok().map(|Signed(session)| session)))
    }
}

/// The token of a link.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Link {
    token: Option<String>,
}

/// `GET /sign-in?token=...`
pub(crate) async fn get(Maybe(session): Maybe, State(site): State<Arc<Site>>, Query(link): Query<Link>) -> Response {
    match link.token {
        None => page(&site, StatusCode::OK, None, session),
        Some(token) if accepts(&site, &token) => {
            enter(&site, session.map_or_else(|| DEFAULT_USER.to_string(), |session| session.user))
        }
        Some(_) => page(
            &site,
            StatusCode::UNAUTHORIZED,
            Some("This token is not the current one: take the link that was printed last."),
            session,
        ),
    }
}

/// The form: a token, or the form token of somebody who is signed in and gives another name.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Entry {
    #[serde(default)]
    token: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    csrf: String,
}

/// `POST /sign-in`
pub(crate) async fn post(Maybe(session): Maybe, State(site): State<Arc<Site>>, Form(entry): Form<Entry>) -> Response {
    let known = session.as_ref().is_some_and(|session| site.signer.equal(&session.csrf, &entry.csrf));
    if !known && !accepts(&site, &entry.token) {
        return page(
            &site,
            StatusCode::UNAUTHORIZED,
            Some("This token is not the current one: take the one that was printed last."),
            session,
        );
    }
    match user_name(&entry.name) {
        Ok(user) => enter(&site, user),
        Err(_) => {
            let problem = "A name has at most 63 letters, digits or @ . _ - and begins with a letter or digit.";
            page(&site, StatusCode::BAD_REQUEST, Some(problem), session)
        }
    }
}

/// The form that signs out.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Leave {
    csrf: String,
}

/// `POST /sign-out`
pub(crate) async fn sign_out(
    Signed(session): Signed,
    State(site): State<Arc<Site>>,
    Form(leave): Form<Leave>,
) -> Result<Response, PageError> {
    if !site.signer.equal(&leave.csrf, &session.csrf) {
        return Err(PageError::Forged);
    }
    Ok(([(header::SET_COOKIE, forget())], Redirect::to("/sign-in")).into_response())
}

/// An empty token signs nobody in, whatever the configuration says.
fn accepts(site: &Site, token: &str) -> bool {
    !site.token.is_empty() && site.signer.equal(&site.token, token.trim())
}

fn enter(site: &Site, user: String) -> Response {
    ([(header::SET_COOKIE, site.signer.cookie(&user, site.now()))], Redirect::to("/")).into_response()
}
