-- Erasure of persons: what was erased, and what must not come back.

-- Who was erased: the sha256 of each HMAC of the person, so that not even the HMAC is left. A sample about them that arrives
-- later is refused, and counted here.
CREATE TABLE tombstones (
    mark TEXT NOT NULL PRIMARY KEY,
    request TEXT NOT NULL,
    erased_ms BIGINT NOT NULL,
    refused BIGINT NOT NULL
);
CREATE INDEX tombstones_request ON tombstones (request);

-- Ids of erased samples: records that were made from them carry the same ids.
CREATE TABLE erased_samples (
    request_id TEXT NOT NULL PRIMARY KEY,
    request TEXT NOT NULL,
    model TEXT NOT NULL,
    erased_ms BIGINT NOT NULL
);
CREATE INDEX erased_samples_request ON erased_samples (request);

-- Blobs that were rewritten without the person: whoever still names the old digest is given the new one.
CREATE TABLE replaced_blobs (
    digest TEXT NOT NULL PRIMARY KEY,
    successor TEXT NOT NULL,
    request TEXT NOT NULL,
    removed BIGINT NOT NULL,
    total BIGINT NOT NULL,
    replaced_ms BIGINT NOT NULL
);
CREATE INDEX replaced_blobs_request ON replaced_blobs (request);
