/** All styles of the pages, in the order in which they apply. */
import "./tokens.css";
import "./base.css";
import "./controls.css";
import "./layers.css";
import "./account.css";
import "./chat.css";
import "./timeline.css";
import "./composer.css";
import "./details.css";
