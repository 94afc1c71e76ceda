// Reads statements, one a line, each as a JSON string; says of each `ok`, or `no` and what Microsoft's parser has against it.
// More than one batch or statement in a line is `no` too, unless the line begins with `"--script\n`.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;
using Microsoft.SqlServer.TransactSql.ScriptDom;

class Judge {
    static string Decode(string line) {
        var text = new StringBuilder();
        for (int i = 1; i < line.Length - 1; i++) {
            char c = line[i];
            if (c != '\\') { text.Append(c); continue; }
            c = line[++i];
            switch (c) {
                case 'n': text.Append('\n'); break;
                case 'r': text.Append('\r'); break;
                case 't': text.Append('\t'); break;
                case 'b': text.Append('\b'); break;
                case 'f': text.Append('\f'); break;
                case 'u': text.Append((char)int.Parse(line.Substring(i + 1, 4), NumberStyles.HexNumber)); i += 4; break;
                default: text.Append(c); break;
            }
        }
        return text.ToString();
    }

    static string Verdict(string statement) {
        IList<ParseError> errors;
        var fragment = new TSql150Parser(true).Parse(new StringReader(statement), out errors);
        if (errors.Count > 0) return "no [" + errors[0].Number + "] " + errors[0].Message.Replace("\n", " ").Replace("\r", " ");
        var script = fragment as TSqlScript;
        int statements = 0;
        foreach (var batch in script.Batches) statements += batch.Statements.Count;
        bool one = script.Batches.Count == 1 && statements == 1;
        return one || statement.StartsWith("--script\n") ? "ok" : "no: " + statements + " statements in " + script.Batches.Count + " batches";
    }

    static int Main() {
        var input = new StreamReader(Console.OpenStandardInput(), new UTF8Encoding(false));
        var output = new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(false));
        string line;
        while ((line = input.ReadLine()) != null) output.Write(Verdict(Decode(line)) + "\n");
        output.Flush();
        return 0;
    }
}
