/** The page at `/`. */

import { render } from "preact";
import "./styles/index";
import { App } from "./app";
import { begin } from "./begin";

begin((root) => render(<App />, root));
