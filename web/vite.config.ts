// Builds the pages that the chat serves: same sources, same bytes. `make web` writes them to app/web/site.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";

const here = dirname(fileURLToPath(import.meta.url));
const pages = ["index.html", "ops.html", "docs/try.html"].map((page) => join(here, page)).filter((page) => existsSync(page));
const chat = process.env["CHAT_URL"] ?? "http://127.0.0.1:8000";

/** Writes the licence of each bundled package beside the files that contain it. */
function licences(): Plugin {
  return {
    name: "licences",
    apply: "build",
    generateBundle() {
      const bundled = new Set<string>();
      for (const id of this.getModuleIds()) {
        const found = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id.replaceAll("\\", "/").replace(/^\0/, ""));
        if (found) bundled.add(found[0]);
      }
      const texts = [...bundled].map((folder) => {
        const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { name: string; version: string; license: string };
        const file = ["LICENSE", "LICENSE.md", "LICENSE.txt", "license"].find((name) => existsSync(join(folder, name)));
        if (!file) throw new Error(`${about.name} is bundled, and has no licence file`);
        return `${about.name} ${about.version} (${about.license})\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
      });
      const source = texts.toSorted().join(`\n${"-".repeat(80)}\n\n`);
      this.emitFile({ type: "asset", fileName: "web-assets/LICENSES.txt", source });
    },
  };
}

export default defineConfig({
  root: here,
  base: "./",
  plugins: [licences()],
  resolve: { alias: { "@chat/client": resolve(here, "../clients/typescript/src/index.ts") } },
  build: {
    outDir: process.env["WEB_OUT"] ?? resolve(here, "../app/web/site"),
    emptyOutDir: true,
    assetsDir: "web-assets",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      input: pages,
      output: {
        hashCharacters: "hex",
        entryFileNames: "web-assets/[name]-[hash:10].js",
        chunkFileNames: "web-assets/[name]-[hash:10].js",
        assetFileNames: "web-assets/[name]-[hash:10][extname]",
      },
    },
  },
  server: {
    proxy: {
      "/api": { target: chat, changeOrigin: true, headers: { Origin: chat } },
      "/ws": { target: chat, changeOrigin: true, ws: true, headers: { Origin: chat } },
      "/asyncapi.json": { target: chat, changeOrigin: true },
      "/account": { target: chat, changeOrigin: true },
      "/docs/assets": { target: chat, changeOrigin: true },
    },
  },
});
