package bookhub;

import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import java.io.IOException;
import java.util.List;

/** A server on a port of the system's choice, which it prints. It ends when its standard input does. */
public final class Main {
    private Main() {}

    public static void main(String[] args) throws IOException {
        StreamingBackend backend = new StreamingBackend();
        backend.version(new MongoVersion() {
            @Override
            public List<Integer> getVersionArray() {
                return List.of(4, 4, 0, 0);
            }

            @Override
            public int getWireVersion() {
                return 9;
            }
        });
        backend.enableOplog();
        MongoServer server = new MongoServer(backend);
        System.out.println("mongodb:/" + server.bind() + "/");
        while (System.in.read() >= 0) {
            // Nobody has anything to say.
        }
        server.shutdownNow();
        System.exit(0);
    }
}
