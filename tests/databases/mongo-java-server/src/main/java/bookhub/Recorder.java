package bookhub;

import de.bwaldvogel.mongo.backend.AbstractCursor;
import de.bwaldvogel.mongo.backend.Cursor;
import de.bwaldvogel.mongo.backend.CursorRegistry;
import de.bwaldvogel.mongo.backend.aggregation.Aggregation;
import de.bwaldvogel.mongo.bson.BsonTimestamp;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.exception.MongoServerError;
import de.bwaldvogel.mongo.oplog.Oplog;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/** What was stored, in its order, and the streams that tell of it. */
final class Recorder implements Oplog {
    private final CursorRegistry cursors;
    private final List<Document> events = new ArrayList<>();
    private final List<Stream> streams = new ArrayList<>();
    private BsonTimestamp last = new BsonTimestamp(Instant.now(), 1);
    /** Behind which everything is known. */
    private BsonTimestamp oldest = new BsonTimestamp(0);

    Recorder(CursorRegistry cursors) {
        this.cursors = cursors;
    }

    void recordDocument(String type, Document namespace, Document document, Document more) {
        Document event = new Document("documentKey", new Document("_id", document.get("_id")));
        if (!type.equals("delete")) {
            event.append("fullDocument", document.cloneDeeply());
        }
        event.appendAll(more);
        record(type, namespace, event);
    }

    synchronized void record(String type, Document namespace, Document more) {
        Instant now = tick();
        Document event = new Document("_id", token(last))
            .append("operationType", type)
            .append("clusterTime", last)
            .append("wallTime", now)
            .append("ns", namespace);
        event.appendAll(more);
        events.add(event.cloneDeeply());
        notifyAll();
    }

    private Instant tick() {
        Instant now = Instant.now();
        int increment = now.getEpochSecond() > last.getTime() ? 1 : last.getInc() + 1;
        last = new BsonTimestamp(Instant.ofEpochSecond(Math.max(now.getEpochSecond(), last.getTime())), increment);
        return now;
    }

    /** Closes the streams, and forgets what they have told: none can go on from where it was. */
    synchronized void forget() {
        tick();
        oldest = last;
        streams.forEach(stream -> stream.isLost = true);
        streams.clear();
        notifyAll();
    }

    synchronized BsonTimestamp now() {
        return last;
    }

    /** Up to where the stream of this cursor has been read. */
    void addResumeToken(Document response) {
        Object id = response.get("id");
        if (id instanceof Long number && number != 0 && cursors.getCursor(number) instanceof Stream stream) {
            response.append("postBatchResumeToken", token(stream.after));
        }
    }

    @Override
    public Cursor createCursor(Document options, String namespace, Aggregation stages) {
        BsonTimestamp after = now();
        if (options.get("startAtOperationTime") instanceof BsonTimestamp start) {
            after = new BsonTimestamp(start.getValue() - 1);
        }
        for (String name : List.of("resumeAfter", "startAfter")) {
            if (options.get(name) instanceof Document token) {
                after = new BsonTimestamp(Long.parseUnsignedLong(((String) token.get("_data")).substring(2), 16));
            }
        }
        if (after.compareTo(oldest) < 0) {
            throw new MongoServerError(286, "ChangeStreamHistoryLost",
                "Resume of change stream was not possible, as the resume point may no longer be in the oplog.");
        }
        Stream stream = new Stream(cursors.generateCursorId(), namespace.split("\\.")[0], stages, after);
        cursors.add(stream);
        synchronized (this) {
            streams.add(stream);
        }
        return stream;
    }

    private static Document token(BsonTimestamp time) {
        return new Document("_data", String.format("82%016x", time.getValue()));
    }

    /** A change stream on a database. */
    final class Stream extends AbstractCursor {
        private final String database;
        private final Aggregation stages;
        private BsonTimestamp after;
        private boolean isLost;
        private boolean isOver;

        Stream(long id, String database, Aggregation stages, BsonTimestamp after) {
            super(id);
            this.database = database;
            this.stages = stages;
            this.after = after;
        }

        /** Waits for something new, for a time that keeps the other connections of the thread alive. */
        void await(long millis) {
            synchronized (Recorder.this) {
                if (last.compareTo(after) <= 0) {
                    try {
                        Recorder.this.wait(Math.min(millis, 10));
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                }
            }
        }

        @Override
        public boolean isEmpty() {
            return isOver;
        }

        @Override
        public List<Document> takeDocuments(int most) {
            synchronized (Recorder.this) {
                if (isLost) {
                    throw new MongoServerError(43, "CursorNotFound", "Cursor id " + getId() + " does not exist");
                }
                int from = events.size();
                while (from > 0 && time(events.get(from - 1)).compareTo(after) > 0) {
                    from--;
                }
                int limit = most > 0 ? most : 1000;
                int to = Math.min(events.size(), from + limit);
                List<Document> news = events.subList(from, to).stream()
                    .filter(event -> ((Document) event.get("ns")).get("db").equals(database))
                    .map(Document::cloneDeeply).toList();
                after = to == events.size() ? last : time(events.get(to - 1));
                isOver = news.stream().anyMatch(event -> event.get("operationType").equals("invalidate"));
                return stages.runStagesAsStream(news.stream()).toList();
            }
        }

        private BsonTimestamp time(Document event) {
            return (BsonTimestamp) event.get("clusterTime");
        }
    }

    @Override
    public void handleInsert(String namespace, List<Document> documents) {}

    @Override
    public void handleUpdate(String namespace, Document selector, Document query, List<Object> ids) {}

    @Override
    public void handleDelete(String namespace, Document query, List<Object> ids) {}

    @Override
    public void handleDropCollection(String namespace) {}
}
