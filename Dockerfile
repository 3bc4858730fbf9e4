# A gateway in about 45 MB: one static program, the certificate authorities, and a
# user without rights.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/tidegate . && mkdir /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/tidegate /tidegate
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
VOLUME /data
WORKDIR /data
# What is reached from outside needs keys to check tokens with: the gateway refuses
# to start without --auth-secret-file or --auth-jwks.
ENV TIDEGATE_LISTEN=0.0.0.0:8787 TIDEGATE_STORE=file:/data/tidegate.db TIDEGATE_LOG_FORMAT=json
EXPOSE 8787 8788
ENTRYPOINT ["/tidegate"]
CMD ["serve"]
