FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false \
	-ldflags "-s -w -X main.buildVersion=${VERSION}" -o /out/strata ./cmd/strata \
	&& CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w" -o /out/strata-verify ./cmd/strata-verify \
	&& mkdir /out/data

# No shell, no package manager, not root; CA certificates and time zones are in it.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/strata /out/strata-verify /
# A fresh volume mounted here takes over the owner.
COPY --from=build --chown=65532:65532 /out/data /data
WORKDIR /data
USER 65532:65532
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["/strata", "healthcheck"]
ENTRYPOINT ["/strata"]
CMD ["serve"]
