package bookhub;

import de.bwaldvogel.mongo.backend.CollectionOptions;
import de.bwaldvogel.mongo.backend.Cursor;
import de.bwaldvogel.mongo.backend.CursorRegistry;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.backend.memory.MemoryCollection;
import de.bwaldvogel.mongo.backend.memory.MemoryDatabase;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.oplog.Oplog;
import io.netty.channel.Channel;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Supplier;

/**
 * The memory backend with change streams as MongoDB documents them. Its own miss what findAndModify
 * writes, tell of inserts that failed, and follow one collection only; here each document is recorded
 * where it is stored.
 */
final class StreamingBackend extends MemoryBackend {
    private final Recorder recorder = new Recorder(getCursorRegistry());
    /** The identifiers of collections by their full names: a collection that is made anew has another. */
    private final Map<String, UUID> identifiers = new ConcurrentHashMap<>();
    /** Held alone by what changes collections: the backend itself trips over who writes there meanwhile. */
    private final ReadWriteLock collections = new ReentrantReadWriteLock();

    @Override
    public MemoryDatabase openOrCreateDatabase(String name) {
        return new Database(name, getCursorRegistry(), recorder);
    }

    @Override
    protected Oplog createOplog() {
        return recorder;
    }

    @Override
    public Document handleCommand(Channel channel, String database, String command, Document query) {
        return switch (command) {
            case "forgetHistory" -> {
                recorder.forget();
                yield new Document("ok", 1.0);
            }
            // It waits for changes.
            case "getMore" -> handle(channel, database, command, query);
            case "createIndexes", "drop", "dropDatabase", "renameCollection" ->
                with(collections.writeLock(), () -> handle(channel, database, command, query));
            default -> with(collections.readLock(), () -> handle(channel, database, command, query));
        };
    }

    private static Document with(Lock lock, Supplier<Document> work) {
        lock.lock();
        try {
            return work.get();
        } finally {
            lock.unlock();
        }
    }

    private Document handle(Channel channel, String database, String command, Document query) {
        List<Document> collections = command.equals("dropDatabase") ? collections(channel, database) : List.of();
        Document response = super.handleCommand(channel, database, command, query);
        if (response.get("ok") instanceof Number ok && ok.intValue() == 1) {
            collections.forEach(collection -> recordEnd(database, "drop", collection));
            recordEnd(database, command, query);
        }
        if (command.equals("listCollections")) {
            identify(database, response);
        }
        if (response.get("cursor") instanceof Document cursor) {
            recorder.addResumeToken(cursor);
        }
        response.append("operationTime", recorder.now());
        return response;
    }

    /** The collections of a database, each as the command that would drop it. */
    private List<Document> collections(Channel channel, String database) {
        Document listed = super.handleCommand(channel, database, "listCollections", new Document("listCollections", 1));
        List<?> batch = (List<?>) ((Document) listed.get("cursor")).get("firstBatch");
        return batch.stream().map(collection -> new Document("drop", ((Document) collection).get("name"))).toList();
    }

    /** Says of each collection that is listed which one it is. */
    private void identify(String database, Document response) {
        for (Object listed : (List<?>) ((Document) response.get("cursor")).get("firstBatch")) {
            Document collection = (Document) listed;
            String name = database + "." + collection.get("name");
            ((Document) collection.get("info")).append("uuid", identifiers.computeIfAbsent(name, any -> UUID.randomUUID()));
        }
    }

    /** Records a command that ends a collection. */
    private void recordEnd(String database, String command, Document query) {
        switch (command) {
            case "drop" -> {
                identifiers.remove(database + "." + query.get(command));
                recorder.record("drop", namespace(database, (String) query.get(command)), new Document());
            }
            case "dropDatabase" -> {
                recorder.record("dropDatabase", new Document("db", database), new Document());
                recorder.record("invalidate", new Document("db", database), new Document());
            }
            case "renameCollection" -> {
                identifiers.remove((String) query.get(command));
                identifiers.remove((String) query.get("to"));
                recorder.record("rename", namespace((String) query.get(command)),
                    new Document("to", namespace((String) query.get("to"))));
            }
            default -> { }
        }
    }

    private static Document namespace(String whole) {
        int dot = whole.indexOf('.');
        return namespace(whole.substring(0, dot), whole.substring(dot + 1));
    }

    private static Document namespace(String database, String collection) {
        return new Document("db", database).append("coll", collection);
    }

    @Override
    protected Document handleGetMore(String database, String command, Document query) {
        Cursor cursor = getCursorRegistry().getCursor(((Number) query.get(command)).longValue());
        if (cursor instanceof Recorder.Stream stream) {
            stream.await(((Number) query.getOrDefault("maxTimeMS", 1000)).longValue());
        }
        return super.handleGetMore(database, command, query);
    }

    private static final class Database extends MemoryDatabase {
        private final Recorder recorder;

        Database(String name, CursorRegistry cursors, Recorder recorder) {
            super(name, cursors);
            this.recorder = recorder;
        }

        @Override
        protected MemoryCollection openOrCreateCollection(String name, CollectionOptions options) {
            // The database asks for its own collections before it is made.
            return recorder == null || name.startsWith("system.")
                ? super.openOrCreateCollection(name, options)
                : new Recorded(this, name, options, cursorRegistry, recorder);
        }
    }

    private static final class Recorded extends MemoryCollection {
        private final Recorder recorder;
        private final Document namespace;

        Recorded(Database database, String name, CollectionOptions options, CursorRegistry cursors,
                 Recorder recorder) {
            super(database, name, options, cursors);
            this.recorder = recorder;
            this.namespace = namespace(database.getDatabaseName(), name);
        }

        @Override
        protected Integer addDocumentInternal(Document document) {
            recorder.recordDocument("insert", namespace, document, new Document());
            return super.addDocumentInternal(document);
        }

        @Override
        protected void handleUpdate(Integer position, Document before, Document after) {
            Document changed = new Document();
            Document removed = new Document();
            for (Map.Entry<String, Object> field : after.entrySet()) {
                if (!field.getValue().equals(before.get(field.getKey()))) {
                    changed.append(field.getKey(), field.getValue());
                }
            }
            before.keySet().stream().filter(key -> !after.containsKey(key))
                .forEach(key -> removed.append(key, true));
            if (!changed.isEmpty() || !removed.isEmpty()) {
                Document description = new Document("updatedFields", changed)
                    .append("removedFields", List.copyOf(removed.keySet()));
                recorder.recordDocument("update", namespace, after,
                    new Document("updateDescription", description));
            }
        }

        @Override
        protected void removeDocument(Integer position) {
            recorder.recordDocument("delete", namespace, getDocument(position), new Document());
            super.removeDocument(position);
        }
    }
}
