import { Component, type ComponentChildren, type FunctionComponent } from "preact";

/** Renders again only if a prop is another value. */
export function memo<P extends object>(render: FunctionComponent<P>): new (props: P) => Component<P> {
  return class extends Component<P> {
    override shouldComponentUpdate(next: Readonly<P>): boolean {
      const now = this.props as Record<string, unknown>;
      return Object.entries(next).some(([name, value]) => now[name] !== value);
    }

    render(props: P): ComponentChildren {
      const Inner = render;
      return <Inner {...props} />;
    }
  };
}
