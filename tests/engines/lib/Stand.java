// H2 as a stand-in for servers that no test machine has: a connection of ours is a connection of its, in the mode of that server.
// Frames over a socket of the loopback: what stands below, numbers with the highest byte first.
import java.io.*;
import java.math.BigDecimal;
import java.net.*;
import java.nio.*;
import java.nio.charset.*;
import java.nio.charset.spi.CharsetProvider;
import java.nio.charset.StandardCharsets;
import java.sql.*;
import java.util.*;
import java.util.concurrent.locks.ReentrantLock;
import org.h2.tools.SimpleResultSet;
import org.h2.util.json.JSONStringSource;
import org.h2.util.json.JSONTarget;
import org.h2.value.Value;

public class Stand {
    /**
     * UTF-8 with the highest bit of each byte turned over. H2 orders text by UTF-16, or by the bytes of a character set that it takes
     * for signed: by those of this one it orders as the servers do.
     */
    public static class ByBytes extends CharsetProvider {
        static final Charset SET = new Charset("X-BY-BYTES", null) {
            public boolean contains(Charset other) { return true; }
            public CharsetDecoder newDecoder() { throw new UnsupportedOperationException(); }
            public CharsetEncoder newEncoder() {
                return new CharsetEncoder(this, 3, 4) {
                    public boolean isLegalReplacement(byte[] replacement) { return true; }

                    protected CoderResult encodeLoop(CharBuffer in, ByteBuffer out) {
                        while (in.hasRemaining()) {
                            char first = in.get(in.position());
                            int length = Character.isHighSurrogate(first) && in.remaining() > 1 ? 2 : 1;
                            // `LIKE` looks at each half of a pair alone: what it looks at must differ.
                            boolean half = length == 1 && Character.isSurrogate(first);
                            byte[] bytes = half
                                    ? new byte[] {(byte) 0xed, (byte) (0x80 | first >> 6 & 0x3f), (byte) (0x80 | first & 0x3f)}
                                    : in.subSequence(0, length).toString().getBytes(StandardCharsets.UTF_8);
                            if (out.remaining() < bytes.length) return CoderResult.OVERFLOW;
                            for (byte one : bytes) out.put((byte) (one ^ 0x80));
                            in.position(in.position() + length);
                        }
                        return CoderResult.UNDERFLOW;
                    }
                };
            }
        };

        public Iterator<Charset> charsets() { return Collections.singletonList(SET).iterator(); }

        public Charset charsetForName(String name) { return name.equalsIgnoreCase(SET.name()) ? SET : null; }
    }

    static String text(DataInputStream in) throws IOException {
        return new String(in.readNBytes(in.readInt()), StandardCharsets.UTF_8);
    }

    static void text(DataOutputStream out, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    static void bind(PreparedStatement statement, int at, DataInputStream in, boolean oracle) throws Exception {
        switch (in.readByte()) {
            case 0 -> statement.setNull(at, Types.NULL);
            case 1 -> statement.setLong(at, in.readLong());
            case 2 -> statement.setDouble(at, in.readDouble());
            case 3 -> statement.setString(at, text(in));
            // Oracle takes no bytes for null.
            case 4 -> { byte[] bytes = in.readNBytes(in.readInt()); if (oracle && bytes.length == 0) statement.setNull(at, Types.NULL); else statement.setBytes(at, bytes); }
            case 6 -> statement.setBoolean(at, in.readByte() == 1);
            default -> statement.setBigDecimal(at, new BigDecimal(text(in)));
        }
    }

    static void give(ResultSet rows, int at, int type, DataOutputStream out) throws Exception {
        switch (type) {
            case Types.BINARY, Types.VARBINARY, Types.LONGVARBINARY, Types.BLOB -> {
                byte[] bytes = rows.getBytes(at);
                out.writeByte(bytes == null ? 0 : 4);
                if (bytes != null) { out.writeInt(bytes.length); out.write(bytes); }
            }
            case Types.DOUBLE, Types.FLOAT, Types.REAL -> {
                double number = rows.getDouble(at);
                boolean none = rows.wasNull();
                out.writeByte(none ? 0 : 2);
                if (!none) out.writeDouble(number);
            }
            case Types.BIGINT, Types.INTEGER, Types.SMALLINT, Types.TINYINT -> {
                long number = rows.getLong(at);
                boolean none = rows.wasNull();
                out.writeByte(none ? 0 : 1);
                if (!none) out.writeLong(number);
            }
            case Types.BOOLEAN -> {
                boolean holds = rows.getBoolean(at);
                boolean none = rows.wasNull();
                out.writeByte(none ? 0 : 6);
                if (!none) out.writeByte(holds ? 1 : 0);
            }
            case Types.NUMERIC, Types.DECIMAL -> {
                BigDecimal number = rows.getBigDecimal(at);
                out.writeByte(number == null ? 0 : 5);
                if (number != null) text(out, number.toPlainString());
            }
            default -> {
                String found = rows.getString(at);
                out.writeByte(found == null ? 0 : 3);
                if (found != null) text(out, found);
            }
        }
    }

    /** What SQL Server's `OPENJSON` gives of an array: its items, in a column `value`. */
    public static ResultSet openJson(Connection connection, String json) throws SQLException {
        SimpleResultSet items = new SimpleResultSet();
        items.addColumn("value", Types.VARCHAR, 0, 0);
        // H2 asks for the columns first.
        if (connection.getMetaData().getURL().equals("jdbc:columnlist:connection") || json == null) return items;
        for (Object item : (List<?>) JSONStringSource.parse(json, new Items())) items.addRow(String.valueOf(item));
        return items;
    }

    /** An array of texts and whole numbers, read. */
    static class Items extends JSONTarget<List<Object>> {
        private final List<Object> found = new ArrayList<>();

        public void startObject() { throw new IllegalStateException(); }
        public void endObject() { throw new IllegalStateException(); }
        public void startArray() { }
        public void endArray() { }
        public void member(String name) { throw new IllegalStateException(); }
        public void valueNull() { found.add(null); }
        public void valueFalse() { found.add(false); }
        public void valueTrue() { found.add(true); }
        public void valueNumber(BigDecimal number) { found.add(number.toPlainString()); }
        public void valueString(String text) { found.add(text); }
        public boolean isPropertyExpected() { return false; }
        public boolean isValueSeparatorExpected() { return !found.isEmpty(); }
        public List<Object> getResult() { return found; }
    }

    /** SQL Server's `DATALENGTH`: two bytes a unit of text. */
    public static Long dataLength(Value value) {
        return switch (value.getValueType()) {
            case Value.NULL -> null;
            case Value.VARCHAR, Value.CHAR, Value.CLOB, Value.VARCHAR_IGNORECASE -> value.getString().length() * 2L;
            default -> (long) value.getBytesNoCopy().length;
        };
    }

    /** One session at a time, until it commits or rolls back: a lock of SQL Server's applications. */
    static final ReentrantLock ALONE = new ReentrantLock();

    public static long alone() { ALONE.lock(); return 0; }

    static void released() { while (ALONE.isHeldByCurrentThread()) ALONE.unlock(); }

    static void run(Connection connection, DataInputStream in, DataOutputStream out, boolean oracle) throws Exception {
        String sql = text(in);
        int rows = in.readInt(), width = in.readInt();
        // All of a frame is read, whatever becomes of it.
        byte[] values = in.readNBytes(in.readInt());
        ByteArrayOutputStream answer = new ByteArrayOutputStream();
        DataOutputStream made = new DataOutputStream(answer);
        DataInputStream bound = new DataInputStream(new ByteArrayInputStream(values));
        try {
            if (sql.equals("COMMIT")) { connection.commit(); released(); made.writeLong(0); made.writeInt(0); made.writeInt(0); }
            else if (sql.equals("ROLLBACK")) { connection.rollback(); released(); made.writeLong(0); made.writeInt(0); made.writeInt(0); }
            else try (PreparedStatement statement = connection.prepareStatement(sql)) {
                long changed = 0;
                ResultSet found = null;
                for (int row = 0; row < Math.max(rows, 1); row++) {
                    for (int at = 1; at <= width; at++) bind(statement, at, bound, oracle);
                    if (statement.execute()) found = statement.getResultSet(); else changed += statement.getLargeUpdateCount();
                }
                made.writeLong(changed);
                if (found == null) { made.writeInt(0); made.writeInt(0); }
                else {
                    ResultSetMetaData about = found.getMetaData();
                    int columns = about.getColumnCount();
                    ByteArrayOutputStream cells = new ByteArrayOutputStream();
                    DataOutputStream cell = new DataOutputStream(cells);
                    int number = 0;
                    for (; found.next(); number++) {
                        // A double divided by a number is a double on the server.
                        for (int at = 1; at <= columns; at++) give(found, at, about.getColumnTypeName(at).equals("DECFLOAT") ? Types.DOUBLE : about.getColumnType(at), cell);
                    }
                    made.writeInt(number);
                    made.writeInt(columns);
                    cell.flush();
                    cells.writeTo(made);
                }
            }
            out.writeByte(0);
            out.writeInt(answer.size());
            answer.writeTo(out);
        } catch (SQLException wrong) {
            out.writeByte(1);
            out.writeInt(wrong.getErrorCode());
            text(out, String.valueOf(wrong.getMessage()));
        }
        out.flush();
    }

    static final Set<String> READY = new HashSet<>();

    static void serve(Socket socket) {
        try (socket) {
            socket.setTcpNoDelay(true);
            DataInputStream in = new DataInputStream(new BufferedInputStream(socket.getInputStream()));
            DataOutputStream out = new DataOutputStream(new BufferedOutputStream(socket.getOutputStream()));
            // The name of a database, its mode, and statements that make it ready.
            String database = text(in);
            String mode = text(in);
            String url = "jdbc:h2:mem:" + database + ";MODE=" + mode + ";DB_CLOSE_DELAY=-1;LOCK_TIMEOUT=30000";
            try (Connection connection = DriverManager.getConnection(url, "sa", "")) {
                String ready = text(in);
                synchronized (READY) {
                    if (READY.add(database)) try (Statement statement = connection.createStatement()) { statement.execute(ready); }
                }
                connection.setAutoCommit(false);
                while (true) run(connection, in, out, mode.equals("Oracle"));
            }
        } catch (EOFException ended) {
        } catch (Exception wrong) {
            wrong.printStackTrace();
        } finally {
            released();
        }
    }

    public static void main(String[] arguments) throws Exception {
        try (ServerSocket server = new ServerSocket(Integer.parseInt(arguments[0]), 50, InetAddress.getLoopbackAddress())) {
            while (true) { Socket socket = server.accept(); new Thread(() -> serve(socket)).start(); }
        }
    }
}
