package example;

import com.mashape.unirest.http.HttpResponse;
import com.mashape.unirest.http.Unirest;
import com.mashape.unirest.http.exceptions.UnirestException;
import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;
import java.util.stream.Stream;
import org.json.JSONException;
import org.json.JSONObject;

/** Starts a password reset with Unirest, pointed at authreset by the URL alone. */
public final class Client {
    private static final String POM =
            "/META-INF/maven/com.mashape.unirest/unirest-java/pom.properties";

    /** What one call got; Unirest has no typed error, a refusal is an answer like any other. */
    private record Answer(int status, String text, String explanation) {
        static Answer of(HttpResponse<String> response) {
            try {
                var body = new JSONObject(response.getBody());
                var data = body.optJSONObject("responseData");
                var explanation = data == null ? null : data.optString("explanation", null);
                return new Answer(response.getStatus(), body.optString("responseText", null), explanation);
            } catch (JSONException notJson) {
                return new Answer(response.getStatus(), response.getBody(), null);
            }
        }

        boolean isAsPromised(int expected) {
            return status == expected
                    && text != null
                    && (expected == 200 ? text.equals("Success") : explanation != null);
        }
    }

    public static void main(String[] args) throws UnirestException, IOException {
        Unirest.setTimeouts(20_000, 20_000);
        boolean ok;
        try {
            ok = runs();
        } finally {
            Unirest.shutdown();
        }
        System.exit(ok ? 0 : 1);
    }

    private static boolean runs() throws UnirestException, IOException {
        var token = setting("AUTHRESET_TOKEN");
        var address = new JSONObject()
                .put("email", setting("AUTHRESET_EMAIL"))
                .put("entry", setting("AUTHRESET_ENTRY"))
                .put("entryType", Integer.parseInt(setting("AUTHRESET_ENTRY_TYPE")));
        var badEmail = new JSONObject().put("email", "not-an-address");
        return Stream.of(
                        report("empty", 200, ask(token, "{}")),
                        report("address", 200, ask(token, address.toString())),
                        report("refused_token", 401, ask("o.never-issued", "{}")),
                        report("bad_email", 400, ask(token, badEmail.toString())))
                .allMatch(ok -> ok);
    }

    private static Answer ask(String token, String body) throws UnirestException {
        HttpResponse<String> response = Unirest.post(setting("AUTHRESET_BASE_URL") + "/User/authreset")
                .header("requestToken", token)
                .header("Content-Type", "application/json")
                .body(body)
                .asString();
        return Answer.of(response);
    }

    /** Prints one line; {@code ok} says whether the answer is the one that the contract promises. */
    private static boolean report(String call, int expected, Answer answer) throws IOException {
        boolean ok = answer.isAsPromised(expected);
        System.out.println(new JSONObject()
                .put("call", call)
                .put("status", answer.status())
                .put("ok", ok)
                .put("text", orNull(answer.text()))
                .put("explanation", orNull(answer.explanation()))
                .put("error_type", JSONObject.NULL)
                .put("client", "unirest-java")
                .put("version", version()));
        return ok;
    }

    private static Object orNull(String text) {
        return text == null ? JSONObject.NULL : text;
    }

    private static String version() throws IOException {
        try (InputStream properties = Unirest.class.getResourceAsStream(POM)) {
            var read = new Properties();
            read.load(properties);
            return read.getProperty("version");
        }
    }

    private static String setting(String name) {
        var value = System.getenv(name);
        if (value == null) {
            throw new IllegalStateException(name + " is not set");
        }
        return value;
    }

    private Client() {}
}
