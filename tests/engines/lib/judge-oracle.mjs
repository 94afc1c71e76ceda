// Reads statements, one a line, each as a JSON string; says of each `ok`, or `no` and what a PL/SQL grammar has against it. More
// than one statement in a line is `no` too.
//
// The grammar is ambiguous: the simple prediction (SLL) is asked first, and the full one, which may take minutes and accepts more,
// only where that one fails. Every statement is read letter by letter into tokens; of statements with the same kinds of tokens, whose verdict is the
// same, one is parsed, and a list of values counts as one of two. The grammar is older than the type `VECTOR`.
import { readFileSync } from "node:fs";
import { CharStream, CommonTokenStream, PredictionMode, Token } from "antlr4";
import { PlSqlLexer, PlSqlParser } from "@griffithswaite/ts-plsql-parser";

const verdicts = new Map();

function judged(statement) {
    const faults = [];
    const listener = {
        syntaxError: (_recognizer, _symbol, line, column, message) => faults.push(`${line}:${column} ${message}`),
        reportAmbiguity() {},
        reportAttemptingFullContext() {},
        reportContextSensitivity() {},
    };
    const lexer = new PlSqlLexer(new CharStream(statement, true));
    lexer.removeErrorListeners();
    lexer.addErrorListener(listener);
    const tokens = new CommonTokenStream(lexer);
    tokens.fill();
    if (faults.length > 0) return faults[0];
    const shape = tokens.tokens.filter((token) => token.channel === Token.DEFAULT_CHANNEL).map((token) => token.type).join(" ");
    if (verdicts.has(shape)) return verdicts.get(shape);
    for (const mode of [PredictionMode.SLL, PredictionMode.LL]) {
        faults.length = 0;
        tokens.seek(0);
        const parser = new PlSqlParser(tokens);
        parser.removeErrorListeners();
        parser.addErrorListener(listener);
        parser.buildParseTrees = false;
        parser._interp.predictionMode = mode;
        parser.unit_statement();
        const rest = tokens.LT(1);
        if (rest.type !== Token.EOF) faults.push(`${rest.line}:${rest.column} what follows is none of it: ${rest.text}`);
        if (faults.length === 0) break;
    }
    verdicts.set(shape, faults[0]);
    return faults[0];
}

/** A statement with two values where there is a list of more, and a type that the grammar knows for one that it does not. */
function known(statement) {
    return statement.replaceAll(/(?<=\(:\d+, :\d+)(, :\d+)+(?=\))/g, "").replaceAll(/(?<=" )VECTOR\(\d+, FLOAT32\)/g, "RAW(32)");
}

const lines = readFileSync(0, "utf8").split("\n").filter((line) => line !== "");
const answers = lines.map((line) => {
    const fault = judged(known(JSON.parse(line)));
    return fault === undefined ? "ok" : `no ${fault.replaceAll(/\s+/g, " ").slice(0, 200)}`;
});
process.stdout.write(answers.map((answer) => answer + "\n").join(""));
